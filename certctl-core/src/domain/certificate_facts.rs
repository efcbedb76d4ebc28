//! What a certificate says of itself.

use super::{Fingerprint, KeyAlgorithm, KeyId, Serial, SubjectNames, Timestamp};

/// What a certificate says of itself, read by [`pki::certificate::parse`](crate::pki::certificate::parse).
///
/// Nothing here is verified: a signature is checked by [`pki::chain`](crate::pki::chain).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The serial number.
    pub serial: Serial,
    /// First moment of validity, inclusive.
    pub not_before: Timestamp,
    /// Last moment of validity, inclusive.
    pub not_after: Timestamp,
    /// SHA-256 over the DER.
    pub fingerprint: Fingerprint,
    /// The names that certctl can express, in canonical form.
    pub names: SubjectNames,
    /// Subject alternative names that it cannot: other kinds, or contents that are no such name. Each `kind:text`.
    pub other_names: Vec<String>,
    /// The kind of the public key; `None` for kinds that certctl does not use.
    pub key_algorithm: Option<KeyAlgorithm>,
    /// The kind of the public key as text, also for kinds that certctl does not use.
    pub key_algorithm_text: String,
    /// The public key: DER SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// SHA-256 over the SPKI.
    pub key_id: KeyId,
    /// Whether basicConstraints make it a CA (RFC 5280 §4.2.1.9).
    pub is_ca: bool,
    /// The subject's distinguished name (RFC 4514).
    pub subject: String,
    /// The issuer's distinguished name (RFC 4514).
    pub issuer: String,
    /// Whether subject and issuer are the same bytes.
    pub is_self_issued: bool,
    /// The subject key identifier (RFC 5280 §4.2.1.2).
    pub subject_key_id: Option<Vec<u8>>,
    /// The authority key identifier (RFC 5280 §4.2.1.1).
    pub authority_key_id: Option<Vec<u8>>,
    /// The bits of keyUsage (RFC 5280 §4.2.1.3), digitalSignature the highest; `None` without the extension.
    pub key_usage: Option<u16>,
    /// Extended key usages as dotted object identifiers (RFC 5280 §4.2.1.12).
    pub extended_key_usages: Vec<String>,
    /// Where the issuer's OCSP responder is (RFC 5280 §4.2.2.1).
    pub ocsp_urls: Vec<String>,
    /// Where the issuer's CRL is (RFC 5280 §4.2.1.13).
    pub crl_urls: Vec<String>,
}

impl CertificateFacts {
    /// Whether `now` lies in the validity, both ends included.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}
