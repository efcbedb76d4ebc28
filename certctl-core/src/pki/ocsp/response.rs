//! OCSPResponse (RFC 6960 §4.2.1): what a responder says of certificates, signed.
//!
//! A cache keeps many responses. So what differs between them ([`SignedData`]) is apart from what all of one responder share,
//! its certificate above all, and the two are put together when a response is sent.

use std::sync::Arc;

use const_oid::db::rfc6960;

use crate::domain::{RevocationReason, Timestamp};
use crate::pki::certificate::extension::{Criticality, extension};
use crate::pki::parts::{Certificate, Tbs};
use crate::pki::tlv::{self, write};
use crate::pki::{PkiError, algorithm, certificate, key, time};
use crate::ports::{KeyError, Signer};

/// An answer without a certificate's status (§4.2.1, OCSPResponseStatus). It is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcspError {
    /// The request cannot be read.
    MalformedRequest,
    /// The responder failed.
    InternalError,
    /// The responder cannot answer now.
    TryLater,
    /// The responder does not know the issuer of a certificate, so that it has nothing to say of it (RFC 5019 §2.2.3).
    Unauthorized,
}

/// What is known of a certificate (§2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertStatus {
    /// It was issued and is not revoked.
    Good,
    /// It is revoked, perhaps for the time being.
    Revoked {
        /// Since when.
        at: Timestamp,
        /// Why; `unspecified` is not written (RFC 5280 §5.3.1).
        reason: RevocationReason,
    },
    /// It was never issued.
    Unknown,
}

/// What is said of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleResponse<'a> {
    /// The DER CertID, as it was asked.
    pub cert_id: &'a [u8],
    /// What is known of it.
    pub status: CertStatus,
    /// When that was known. Fractions are cut off, as of all times here.
    pub this_update: Timestamp,
    /// When more is known at the latest.
    pub next_update: Timestamp,
    /// Encoded singleExtensions, such as [`archive_cutoff`].
    pub extensions: Vec<Vec<u8>>,
}

/// What is signed (§4.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseData<'a> {
    /// When it is signed.
    pub produced_at: Timestamp,
    /// What is said of each certificate, in the order of the request.
    pub responses: &'a [SingleResponse<'a>],
    /// The nonce of the request (RFC 9654 §2.1).
    pub nonce: Option<&'a [u8]>,
}

/// ResponseData and its signature: what is a response's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedData(Arc<[u8]>);

/// Who signs: a key, and the certificate by which the authority lets it (§4.2.2.2).
#[derive(Clone)]
pub struct Responder {
    signer: Arc<dyn Signer>,
    key_hash: Vec<u8>,
    /// [0] EXPLICIT SEQUENCE OF Certificate.
    certs: Vec<u8>,
    algorithm: Vec<u8>,
    not_after: Timestamp,
}

/// A responder that cannot sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponderError {
    /// Its certificate cannot be read.
    #[error(transparent)]
    Certificate(#[from] PkiError),
    /// The key is another one.
    #[error("the key of the OCSP responder does not belong to its certificate")]
    WrongKey,
    /// The key backend failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl OcspError {
    /// The DER OCSPResponse.
    pub const fn der(self) -> [u8; 5] {
        let status = match self {
            Self::MalformedRequest => 1,
            Self::InternalError => 2,
            Self::TryLater => 3,
            Self::Unauthorized => 6,
        };
        [tlv::SEQUENCE, 3, ENUMERATED, 1, status]
    }
}

const ENUMERATED: u8 = 0x0a;
/// responseStatus (§4.2.1).
const SUCCESSFUL: [u8; 3] = [ENUMERATED, 1, 0];
/// id-pkix-ocsp-basic (§4.2.1).
const BASIC: [u8; 11] = [tlv::OBJECT_IDENTIFIER, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];

/// The extension that says since when the status of certificates is kept beyond their expiry (§4.4.4).
pub fn archive_cutoff(since: Timestamp) -> Vec<u8> {
    extension(rfc6960::ID_PKIX_OCSP_ARCHIVE_CUTOFF, Criticality::NotCritical, &time::generalized(since))
}

impl Responder {
    /// A key with the DER certificate that an authority gave it.
    ///
    /// # Errors
    /// [`ResponderError`] when the two do not belong together.
    pub fn new(signer: Arc<dyn Signer>, certificate: &[u8]) -> Result<Self, ResponderError> {
        const WHAT: &str = "OCSP responder's certificate";
        certificate::check_size(certificate)?;
        let damaged = PkiError::malformed;
        let outer = Certificate::read(certificate).map_err(damaged(WHAT))?;
        let tbs = Tbs::read(outer.tbs).map_err(damaged(WHAT))?;
        if !key::are_same(tbs.spki, signer.public_key()) {
            return Err(ResponderError::WrongKey);
        }
        Ok(Self {
            key_hash: key::identifier(tbs.spki)?,
            certs: write(0xa0, &[&write(tlv::SEQUENCE, &[certificate])]),
            algorithm: algorithm::encode(signer.signature_algorithm()),
            not_after: time::read(tbs.not_after).map_err(damaged(WHAT))?,
            signer,
        })
    }

    /// The last moment of its certificate: nothing that it signs may be used longer.
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Signs.
    ///
    /// The signature is not verified here, as those of certificates and lists are: verifying takes twice as long as signing, there
    /// are thousands in a second, and none lives long. A responder's key is for ECDSA with a random nonce, so a wrong signature
    /// tells nothing of the key, as one of RSA could.
    ///
    /// # Errors
    /// [`KeyError`] of the key backend.
    pub async fn sign(&self, data: &ResponseData<'_>) -> Result<SignedData, KeyError> {
        let tbs = self.tbs(data);
        let signature = self.signer.sign(&tbs).await?;
        let signature = write(tlv::BIT_STRING, &[&[0], &signature]);
        Ok(SignedData([tbs.as_slice(), &self.algorithm, &signature].concat().into()))
    }

    /// The whole DER OCSPResponse.
    pub fn respond(&self, signed: &SignedData) -> Vec<u8> {
        // BasicOCSPResponse in an OCTET STRING in ResponseBytes in [0] in OCSPResponse; all lengths are known in advance.
        let basic = signed.0.len() + self.certs.len();
        let octets = header_length(basic) + basic;
        let bytes = BASIC.len() + header_length(octets) + octets;
        let explicit = header_length(bytes) + bytes;
        let whole = SUCCESSFUL.len() + header_length(explicit) + explicit;
        let mut der = Vec::with_capacity(header_length(whole) + whole);
        header(&mut der, tlv::SEQUENCE, whole);
        der.extend_from_slice(&SUCCESSFUL);
        header(&mut der, 0xa0, explicit);
        header(&mut der, tlv::SEQUENCE, bytes);
        der.extend_from_slice(&BASIC);
        header(&mut der, tlv::OCTET_STRING, octets);
        header(&mut der, tlv::SEQUENCE, basic);
        der.extend_from_slice(&signed.0);
        der.extend_from_slice(&self.certs);
        der
    }

    /// ResponseData (§4.2.1); version 1 is the default and not written.
    fn tbs(&self, data: &ResponseData<'_>) -> Vec<u8> {
        let responses: Vec<Vec<u8>> = data.responses.iter().map(single).collect();
        let responses: Vec<&[u8]> = responses.iter().map(Vec::as_slice).collect();
        let nonce = data.nonce.map(|nonce| {
            let value = write(tlv::OCTET_STRING, &[nonce]);
            let extension = extension(rfc6960::ID_PKIX_OCSP_NONCE, Criticality::NotCritical, &value);
            write(0xa1, &[&write(tlv::SEQUENCE, &[&extension])])
        });
        write(
            tlv::SEQUENCE,
            &[
                // byKey [2].
                &write(0xa2, &[&write(tlv::OCTET_STRING, &[&self.key_hash])]),
                &time::generalized(data.produced_at),
                &write(tlv::SEQUENCE, &responses),
                &nonce.unwrap_or_default(),
            ],
        )
    }
}

impl std::fmt::Debug for Responder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Responder").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

impl SignedData {
    /// Its octets.
    pub fn octets(&self) -> usize {
        self.0.len()
    }

    /// The end of the signature, which no other response has: it names this one.
    pub fn tag(&self) -> &[u8] {
        self.0.get(self.0.len().saturating_sub(16)..).unwrap_or_default()
    }
}

/// SingleResponse (§4.2.1).
fn single(response: &SingleResponse<'_>) -> Vec<u8> {
    let status = match response.status {
        CertStatus::Good => vec![0x80, 0],
        CertStatus::Revoked { at, reason } => {
            let reason: &[u8] =
                if reason == RevocationReason::Unspecified { &[] } else { &[0xa0, 3, ENUMERATED, 1, reason.code()] };
            write(0xa1, &[&time::generalized(at), reason])
        }
        CertStatus::Unknown => vec![0x82, 0],
    };
    let extensions: Vec<&[u8]> = response.extensions.iter().map(Vec::as_slice).collect();
    let extensions =
        if extensions.is_empty() { Vec::new() } else { write(0xa1, &[&write(tlv::SEQUENCE, &extensions)]) };
    write(
        tlv::SEQUENCE,
        &[
            response.cert_id,
            &status,
            &time::generalized(response.this_update),
            &write(0xa0, &[&time::generalized(response.next_update)]),
            &extensions,
        ],
    )
}

/// Octets of the header in front of so many.
const fn header_length(length: usize) -> usize {
    if length < 0x80 { 2 } else { 2 + (usize::BITS as usize - length.leading_zeros() as usize).div_ceil(8) }
}

fn header(der: &mut Vec<u8>, tag: u8, length: usize) {
    der.push(tag);
    let octets = length.to_be_bytes();
    let significant = octets.get(octets.len().saturating_sub(header_length(length) - 2)..).unwrap_or_default();
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => der.push(short),
        _ => der.push(0x80 | u8::try_from(significant.len()).unwrap_or(0)),
    }
    der.extend_from_slice(significant);
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::KeyAlgorithm;
    use crate::pki::private_key;
    use crate::ports::Keys;
    use crate::testing::{ManualClock, SeededRng, TestAuthority, TestKeys, block_on};

    #[test]
    fn headers_are_those_of_whole_values() {
        for length in [0_usize, 1, 127, 128, 255, 256, 65_535, 65_536, 1 << 24] {
            let mut der = Vec::new();
            header(&mut der, tlv::SEQUENCE, length);
            assert_eq!(der.len(), header_length(length));
            assert!(write(tlv::SEQUENCE, &[&vec![0; length]]).starts_with(&der), "{length}");
        }
        assert_eq!(BASIC[2..], *rfc6960::ID_PKIX_OCSP_BASIC.as_bytes());
    }

    #[test]
    fn a_key_signs_for_its_own_certificate_alone() {
        let now = ManualClock::START;
        let authority = block_on(TestAuthority::new(1, now));
        let made = block_on(authority.issue(&["a.example"], now, now + Duration::from_hours(24)));
        let other = block_on(TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(3))).unwrap();
        assert_eq!(Responder::new(other.signer, made.chain.leaf()).err(), Some(ResponderError::WrongKey));
        let signer = block_on(TestKeys.open(&private_key::from_pem(made.key_pem.expose()).unwrap())).unwrap();
        assert!(matches!(Responder::new(Arc::clone(&signer), b"none"), Err(ResponderError::Certificate(_))));
        assert_eq!(Responder::new(signer, made.chain.leaf()).unwrap().not_after(), now + Duration::from_hours(24));
    }

    #[test]
    fn errors_are_five_octets() {
        for (error, status) in [
            (OcspError::MalformedRequest, 1),
            (OcspError::InternalError, 2),
            (OcspError::TryLater, 3),
            (OcspError::Unauthorized, 6),
        ] {
            assert_eq!(error.der(), [0x30, 3, 0x0a, 1, status]);
        }
    }
}
