//! What a certificate is to say.

use std::collections::BTreeSet;

use crate::domain::{ExtendedKeyUsage, Serial, SubjectAltName, SubjectNames, Timestamp};

/// What a leaf certificate is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafRequest {
    /// Common name and subject alternative names.
    pub names: SubjectNames,
    /// The public key: DER SubjectPublicKeyInfo, copied as it is.
    pub spki: Vec<u8>,
    /// The serial number; [`Serial::random`] makes one.
    pub serial: Serial,
    /// First moment of validity; backdate it a little, clocks of relying parties differ. Fractions are cut off.
    pub not_before: Timestamp,
    /// Last moment of validity, inclusive, at most the authority's. Fractions are cut off.
    pub not_after: Timestamp,
    /// Extended key usages; empty leaves the extension out. Time stamping must stand alone (RFC 3161 §2.3).
    pub extended_key_usages: BTreeSet<ExtendedKeyUsage>,
    /// Whether the server must staple OCSP (RFC 7633).
    pub must_staple: bool,
    /// Certificate policies as dotted object identifiers; empty leaves the extension out.
    pub policies: Vec<String>,
    /// Where the CRL is; empty leaves the extension out.
    pub crl_urls: Vec<String>,
    /// Where the OCSP responder is; may be empty.
    pub ocsp_urls: Vec<String>,
    /// Where the authority's certificate is; may be empty.
    pub ca_issuer_urls: Vec<String>,
}

/// The distinguished name of an authority: the attributes given, in the order country, organization, common name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DistinguishedName {
    /// countryName: two letters (ISO 3166).
    pub country: Option<String>,
    /// organizationName, at most 64 characters.
    pub organization: Option<String>,
    /// commonName, at most 64 characters.
    pub common_name: String,
}

/// What the certificate of an authority is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityRequest {
    /// The authority's name.
    pub subject: DistinguishedName,
    /// The public key: DER SubjectPublicKeyInfo, copied as it is.
    pub spki: Vec<u8>,
    /// The serial number; [`Serial::random`] makes one.
    pub serial: Serial,
    /// First moment of validity. Fractions are cut off.
    pub not_before: Timestamp,
    /// Last moment of validity, inclusive. Fractions are cut off.
    pub not_after: Timestamp,
    /// How many further authorities may stand below this one; `None` for any number (RFC 5280 §4.2.1.9).
    pub path_length: Option<u8>,
    /// Where the CRL is; empty leaves the extension out.
    pub crl_urls: Vec<String>,
    /// Where the OCSP responder is; may be empty.
    pub ocsp_urls: Vec<String>,
    /// Where the parent's certificate is; may be empty.
    pub ca_issuer_urls: Vec<String>,
}

/// What the certificate of a delegated OCSP responder is to say (RFC 6960 §4.2.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspResponderRequest {
    /// commonName, at most 64 characters.
    pub common_name: String,
    /// The public key: DER SubjectPublicKeyInfo, copied as it is.
    pub spki: Vec<u8>,
    /// The serial number; [`Serial::random`] makes one.
    pub serial: Serial,
    /// First moment of validity. Fractions are cut off.
    pub not_before: Timestamp,
    /// Last moment of validity, inclusive. It cannot be revoked (id-pkix-ocsp-nocheck), so keep it short.
    pub not_after: Timestamp,
}

/// What the certificate of a tls-alpn-01 challenge is to say (RFC 8737 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeRequest {
    /// The one name that is challenged: a DNS name or an address (RFC 8738 §6).
    pub name: SubjectAltName,
    /// SHA-256 of the key authorization.
    pub digest: [u8; 32],
    /// The public key: DER SubjectPublicKeyInfo, copied as it is.
    pub spki: Vec<u8>,
    /// The serial number; [`Serial::random`] makes one.
    pub serial: Serial,
    /// First moment of validity. Fractions are cut off.
    pub not_before: Timestamp,
    /// Last moment of validity, inclusive.
    pub not_after: Timestamp,
}
