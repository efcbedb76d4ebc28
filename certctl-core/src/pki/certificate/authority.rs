//! The issuing side of a certificate: what a CA certificate lends to those it signs.

use const_oid::db::rfc5280;

use crate::domain::{KeyAlgorithm, SignatureAlgorithm, Timestamp};
use crate::pki::certificate::extension::{CRL_SIGN, KEY_CERT_SIGN};
use crate::pki::certificate::{MAX_CERTIFICATE_OCTETS, is_ca, subject_key_id};
use crate::pki::parts::{Certificate, Tbs};
use crate::pki::tlv::{self, Damage, Tlv};
use crate::pki::{PkiError, key, time};

const WHAT: &str = "CA certificate";

/// What a CA certificate lends to those it signs: name, key identifier, key, end of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    pub(super) subject: Vec<u8>,
    pub(super) key_id: Vec<u8>,
    pub(super) spki: Vec<u8>,
    pub(super) algorithm: KeyAlgorithm,
    pub(super) not_after: Timestamp,
    pub(in crate::pki) signs_crls: bool,
}

impl Authority {
    /// Of a DER CA certificate.
    ///
    /// # Errors
    /// [`PkiError`] when it is malformed, its key cannot sign, or it may not sign certificates: without the CA flag
    /// (RFC 5280 §4.2.1.9) or without keyCertSign (§4.2.1.3).
    pub fn from_certificate(der: &[u8]) -> Result<Self, PkiError> {
        if der.len() > MAX_CERTIFICATE_OCTETS {
            return Err(PkiError::TooLarge { what: WHAT, octets: der.len(), limit: MAX_CERTIFICATE_OCTETS });
        }
        let certificate = Certificate::read(der).map_err(PkiError::malformed(WHAT))?;
        let tbs = Tbs::read(certificate.tbs).map_err(PkiError::malformed(WHAT))?;
        let lent = Lent::read(&tbs).map_err(PkiError::malformed(WHAT))?;
        lent.may_issue().map_err(|why| PkiError::Malformed { what: WHAT, why: why.to_owned() })?;
        Ok(Self {
            subject: tbs.subject.to_vec(),
            signs_crls: lent.key_usage.is_none_or(|bits| bits & CRL_SIGN != 0),
            key_id: lent.key_id.map_or_else(|| key::identifier(tbs.spki), Ok)?,
            spki: tbs.spki.to_vec(),
            algorithm: key::algorithm(tbs.spki)?,
            not_after: time::read(tbs.not_after).map_err(PkiError::malformed(WHAT))?,
        })
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

    /// Whether it may sign revocation lists (RFC 5280 §4.2.1.3).
    pub fn signs_crls(&self) -> bool {
        self.signs_crls
    }

    /// The last moment of its own validity: nothing that it signs outlives it.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }
}

/// What the extensions of a CA certificate say.
struct Lent {
    is_ca: bool,
    /// The first octet of keyUsage.
    key_usage: Option<u8>,
    key_id: Option<Vec<u8>>,
}

impl Lent {
    fn read(tbs: &Tbs<'_>) -> Result<Self, Damage> {
        let value_of = |oid| tbs.extension(oid).map(|extension| extension.value);
        Ok(Self {
            is_ca: value_of(rfc5280::ID_CE_BASIC_CONSTRAINTS).map_or(Ok(false), is_ca)?,
            key_usage: value_of(rfc5280::ID_CE_KEY_USAGE).map(first_octet).transpose()?,
            key_id: value_of(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER).map(subject_key_id).transpose()?,
        })
    }

    fn may_issue(&self) -> Result<(), &'static str> {
        if !self.is_ca {
            return Err("its basicConstraints do not make it a CA");
        }
        if self.key_usage.is_some_and(|bits| bits & KEY_CERT_SIGN == 0) {
            return Err("its keyUsage lacks keyCertSign");
        }
        Ok(())
    }
}

/// Whether a DER certificate may sign others, whatever its key is.
pub(crate) fn may_issue(der: &[u8]) -> bool {
    let lent = Certificate::read(der).and_then(|certificate| Lent::read(&Tbs::read(certificate.tbs)?));
    lent.is_ok_and(|lent| lent.may_issue().is_ok())
}

fn first_octet(value: &[u8]) -> Result<u8, Damage> {
    let bits = Tlv::only(value)?;
    if bits.tag != tlv::BIT_STRING {
        return Err(Damage::Expected("the BIT STRING of keyUsage"));
    }
    Ok(bits.contents.get(1).copied().unwrap_or(0))
}
