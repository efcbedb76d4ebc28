//! The issuing side of a certificate: what a CA certificate lends to those it signs.

use const_oid::db::rfc5280;

use crate::domain::{KeyAlgorithm, SignatureAlgorithm, Timestamp};
use crate::pki::certificate::is_ca;
use crate::pki::parts::{Certificate, Tbs};
use crate::pki::tlv::{self, Damage, Tlv};
use crate::pki::{PkiError, key, time};

const WHAT: &str = "CA certificate";

/// The bit of keyCertSign in the first octet of keyUsage (RFC 5280 §4.2.1.3).
const KEY_CERT_SIGN: u8 = 0x04;

/// What a CA certificate lends to those it signs: name, key identifier, key, end of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    pub(super) subject: Vec<u8>,
    pub(super) key_id: Vec<u8>,
    pub(super) spki: Vec<u8>,
    pub(super) algorithm: KeyAlgorithm,
    pub(super) not_after: Timestamp,
}

impl Authority {
    /// Of a DER CA certificate.
    ///
    /// # Errors
    /// [`PkiError`] when it is malformed, its key cannot sign, or it may not sign certificates: without the CA flag
    /// (RFC 5280 §4.2.1.9) or without keyCertSign (§4.2.1.3).
    pub fn from_certificate(der: &[u8]) -> Result<Self, PkiError> {
        let refused = |why: &str| PkiError::Malformed { what: WHAT, why: why.to_owned() };
        let certificate = Certificate::read(der).map_err(PkiError::malformed(WHAT))?;
        let tbs = Tbs::read(certificate.tbs).map_err(PkiError::malformed(WHAT))?;
        let (flag, usage, key_id) = Self::extensions(&tbs).map_err(PkiError::malformed(WHAT))?;
        if !flag {
            return Err(refused("its basicConstraints do not make it a CA"));
        }
        if usage.is_some_and(|bits| bits & KEY_CERT_SIGN == 0) {
            return Err(refused("its keyUsage lacks keyCertSign"));
        }
        Ok(Self {
            subject: tbs.subject.to_vec(),
            key_id: key_id.map_or_else(|| key::identifier(tbs.spki), Ok)?,
            spki: tbs.spki.to_vec(),
            algorithm: key::algorithm(tbs.spki)?,
            not_after: time::read(tbs.not_after).map_err(PkiError::malformed(WHAT))?,
        })
    }

    /// CA flag, first octet of keyUsage, subject key identifier.
    #[expect(clippy::type_complexity, reason = "three parts used at once, by the one caller above")]
    fn extensions(tbs: &Tbs<'_>) -> Result<(bool, Option<u8>, Option<Vec<u8>>), Damage> {
        let value_of = |oid| tbs.extension(oid).map(|extension| extension.value);
        let flag = value_of(rfc5280::ID_CE_BASIC_CONSTRAINTS).map_or(Ok(false), is_ca)?;
        let usage = match value_of(rfc5280::ID_CE_KEY_USAGE) {
            Some(value) => {
                let bits = Tlv::only(value)?;
                if bits.tag != tlv::BIT_STRING {
                    return Err(Damage::Expected("the BIT STRING of keyUsage"));
                }
                Some(bits.contents.get(1).copied().unwrap_or(0))
            }
            None => None,
        };
        let key_id = value_of(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER).map(super::subject_key_id).transpose()?;
        Ok((flag, usage, key_id))
    }

    /// The authority's public key: DER SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Its DER Name, as it stands in the issuer field of what it signs.
    pub fn name(&self) -> &[u8] {
        &self.subject
    }

    /// Its subject key identifier, as it stands in the authority key identifier of what it signs.
    pub fn key_id(&self) -> &[u8] {
        &self.key_id
    }

    /// What it signs with.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm.signature_algorithm()
    }

    /// The last moment of its own validity: nothing that it signs outlives it.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }
}
