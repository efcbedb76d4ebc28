//! The extensions of certificates, encoded (RFC 5280 §4.2).

use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;

use crate::domain::{
    ExtendedKeyUsage, InvalidSubtree, KeyAlgorithm, KeyFamily, NameConstraints, SubjectAltName, Subtree,
};
use crate::pki::tlv::{self, write};
use crate::pki::{PkiError, general_name};

/// TLS Feature (RFC 7633 §4).
pub(crate) const TLS_FEATURE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.24");
/// id-pe-acmeIdentifier (RFC 8737 §6.1).
pub(crate) const ACME_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.31");
/// id-pkix-ocsp-nocheck (RFC 6960 §4.2.2.2.1).
pub(crate) const OCSP_NO_CHECK: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.5");

/// keyUsage bits, the first octet of the BIT STRING, highest bit first (RFC 5280 §4.2.1.3).
pub(crate) const DIGITAL_SIGNATURE: u8 = 0x80;
pub(crate) const CONTENT_COMMITMENT: u8 = 0x40;
pub(crate) const KEY_ENCIPHERMENT: u8 = 0x20;
pub(crate) const KEY_CERT_SIGN: u8 = 0x04;
pub(crate) const CRL_SIGN: u8 = 0x02;

/// Whether software that does not know an extension must refuse the certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::pki) enum Criticality {
    Critical,
    NotCritical,
}

use Criticality::{Critical, NotCritical};

impl Criticality {
    pub(super) const fn critical_if(condition: bool) -> Self {
        if condition { Critical } else { NotCritical }
    }
}

/// Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } (§4.1.2.9).
pub(in crate::pki) fn extension(oid: ObjectIdentifier, criticality: Criticality, value: &[u8]) -> Vec<u8> {
    let oid = write(tlv::OBJECT_IDENTIFIER, &[oid.as_bytes()]);
    let critical: &[u8] = if criticality == Critical { &[tlv::BOOLEAN, 1, 0xff] } else { &[] };
    write(tlv::SEQUENCE, &[&oid, critical, &write(tlv::OCTET_STRING, &[value])])
}

/// §4.2.1.9; always critical, so that nobody takes a leaf for a CA.
pub(super) fn basic_constraints_leaf() -> Vec<u8> {
    extension(rfc5280::ID_CE_BASIC_CONSTRAINTS, Critical, &write(tlv::SEQUENCE, &[]))
}

/// §4.2.1.9.
pub(super) fn basic_constraints_authority(path_length: Option<u8>) -> Vec<u8> {
    // A path length above 127 would need a sign octet; write it in two octets then.
    let length = path_length.map(|length| match length {
        0..=127 => write(tlv::INTEGER, &[&[length]]),
        _ => write(tlv::INTEGER, &[&[0, length]]),
    });
    let value = write(tlv::SEQUENCE, &[&[tlv::BOOLEAN, 1, 0xff], &length.unwrap_or_default()]);
    extension(rfc5280::ID_CE_BASIC_CONSTRAINTS, Critical, &value)
}

/// §4.2.1.3; a BIT STRING without trailing zero bits (X.690 §11.2.2).
pub(super) fn key_usage(bits: u8) -> Vec<u8> {
    let unused = u8::try_from(bits.trailing_zeros()).unwrap_or(0);
    extension(rfc5280::ID_CE_KEY_USAGE, Critical, &write(tlv::BIT_STRING, &[&[unused, bits]]))
}

/// The keyUsage bits that follow from extended key usages and key: signatures for all; non-repudiation for mail; for TLS
/// also the key transport that only RSA does (RFC 5280 §4.2.1.12, RFC 8446 appendix C, RFC 5480 §3).
pub(super) fn key_usage_for(usages: &BTreeSet<ExtendedKeyUsage>, key: KeyAlgorithm) -> u8 {
    let mut bits = DIGITAL_SIGNATURE;
    let tls = usages.is_empty()
        || usages.contains(&ExtendedKeyUsage::ServerAuth)
        || usages.contains(&ExtendedKeyUsage::ClientAuth);
    if tls && key.family() == KeyFamily::Rsa {
        bits |= KEY_ENCIPHERMENT;
    }
    if usages.contains(&ExtendedKeyUsage::EmailProtection) {
        bits |= CONTENT_COMMITMENT;
    }
    bits
}

/// §4.2.1.12.
pub(super) fn extended_key_usage<'a>(
    oids: impl IntoIterator<Item = &'a str>,
    criticality: Criticality,
) -> Result<Vec<u8>, PkiError> {
    let purposes = oids.into_iter().map(oid).collect::<Result<Vec<_>, _>>()?;
    Ok(extension(rfc5280::ID_CE_EXT_KEY_USAGE, criticality, &sequence_of(&purposes)))
}

/// §4.2.1.2.
pub(super) fn subject_key_identifier(key_id: &[u8]) -> Vec<u8> {
    extension(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, NotCritical, &write(tlv::OCTET_STRING, &[key_id]))
}

/// §4.2.1.1, with the keyIdentifier alone.
pub(in crate::pki) fn authority_key_identifier(key_id: &[u8]) -> Vec<u8> {
    let value = write(tlv::SEQUENCE, &[&write(0x80, &[key_id])]);
    extension(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER, NotCritical, &value)
}

/// §4.2.1.6; critical exactly when the subject is empty.
pub(super) fn subject_alt_name<'a>(
    names: impl IntoIterator<Item = &'a SubjectAltName>,
    criticality: Criticality,
) -> Vec<u8> {
    extension(rfc5280::ID_CE_SUBJECT_ALT_NAME, criticality, &general_name::encode_all(names))
}

/// §4.2.1.4, without qualifiers.
pub(super) fn certificate_policies(policies: &[String]) -> Result<Vec<u8>, PkiError> {
    let information = policies
        .iter()
        .map(|policy| Ok(write(tlv::SEQUENCE, &[&oid(policy)?])))
        .collect::<Result<Vec<_>, PkiError>>()?;
    Ok(extension(rfc5280::ID_CE_CERTIFICATE_POLICIES, NotCritical, &sequence_of(&information)))
}

/// §4.2.1.10; always critical.
pub(super) fn name_constraints(constraints: &NameConstraints) -> Result<Vec<u8>, PkiError> {
    Ok(extension(rfc5280::ID_CE_NAME_CONSTRAINTS, Critical, &name_constraints_value(constraints)?))
}

/// NameConstraints (§4.2.1.10).
pub(in crate::pki) fn name_constraints_value(constraints: &NameConstraints) -> Result<Vec<u8>, PkiError> {
    let refused = |error: InvalidSubtree| PkiError::Unencodable { what: "name constraint", why: error.to_string() };
    let (permitted, excluded) = constraints.parsed().map_err(refused)?;
    let subtrees = |tag, subtrees: &[Subtree]| {
        let bases = subtrees.iter().map(|subtree| match subtree {
            Subtree::Dns(name) => write(general_name::DNS_NAME, &[name.as_bytes()]),
            Subtree::Ip(octets) => write(general_name::IP_ADDRESS, &[octets]),
            Subtree::Email(name) => write(general_name::RFC822_NAME, &[name.as_bytes()]),
            Subtree::Uri(name) => write(general_name::URI, &[name.as_bytes()]),
        });
        let subtrees: Vec<u8> = bases.flat_map(|base| write(tlv::SEQUENCE, &[&base])).collect();
        if subtrees.is_empty() { Vec::new() } else { write(tag, &[&subtrees]) }
    };
    Ok(write(tlv::SEQUENCE, &[&subtrees(0xa0, &permitted), &subtrees(0xa1, &excluded)]))
}

/// §4.2.1.13: one distribution point for each URL.
pub(super) fn crl_distribution_points(urls: &[String]) -> Result<Vec<u8>, PkiError> {
    let points = urls.iter().map(|url| distribution_point(url)).collect::<Result<Vec<_>, PkiError>>()?;
    Ok(extension(rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS, NotCritical, &sequence_of(&points)))
}

/// A SEQUENCE with nothing in it but a distributionPoint \[0\] whose fullName \[0\] is this URL: a DistributionPoint (§4.2.1.13)
/// and an IssuingDistributionPoint (§5.2.5) look alike then.
pub(in crate::pki) fn distribution_point(location: &str) -> Result<Vec<u8>, PkiError> {
    Ok(write(tlv::SEQUENCE, &[&write(0xa0, &[&write(0xa0, &[&url(location)?])])]))
}

/// §4.2.2.1.
pub(super) fn authority_information_access(ocsp: &[String], ca_issuers: &[String]) -> Result<Vec<u8>, PkiError> {
    let methods = ocsp
        .iter()
        .map(|text| (rfc5280::ID_AD_OCSP, text))
        .chain(ca_issuers.iter().map(|text| (rfc5280::ID_AD_CA_ISSUERS, text)));
    let descriptions = methods
        .map(|(method, text)| {
            let method = write(tlv::OBJECT_IDENTIFIER, &[method.as_bytes()]);
            Ok(write(tlv::SEQUENCE, &[&method, &url(text)?]))
        })
        .collect::<Result<Vec<_>, PkiError>>()?;
    Ok(extension(rfc5280::ID_PE_AUTHORITY_INFO_ACCESS, NotCritical, &sequence_of(&descriptions)))
}

/// RFC 7633 §4.2.3.1: the feature status_request (5).
pub(super) fn must_staple() -> Vec<u8> {
    extension(TLS_FEATURE, NotCritical, &write(tlv::SEQUENCE, &[&[tlv::INTEGER, 1, 5]]))
}

/// RFC 8737 §3: always critical.
pub(super) fn acme_identifier(digest: &[u8; 32]) -> Vec<u8> {
    extension(ACME_IDENTIFIER, Critical, &write(tlv::OCTET_STRING, &[digest]))
}

/// RFC 6960 §4.2.2.2.1.
pub(super) fn ocsp_no_check() -> Vec<u8> {
    extension(OCSP_NO_CHECK, NotCritical, &[tlv::NULL, 0])
}

fn sequence_of(values: &[Vec<u8>]) -> Vec<u8> {
    write(tlv::SEQUENCE, &values.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn oid(dotted: &str) -> Result<Vec<u8>, PkiError> {
    let why = || format!("`{dotted}` is not an object identifier; write it as 1.3.6.1.4.1…");
    let oid =
        ObjectIdentifier::new(dotted).map_err(|_| PkiError::Unencodable { what: "object identifier", why: why() })?;
    Ok(write(tlv::OBJECT_IDENTIFIER, &[oid.as_bytes()]))
}

fn url(text: &str) -> Result<Vec<u8>, PkiError> {
    let absolute = text.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
    if absolute && text.bytes().all(|c| c.is_ascii_graphic()) {
        return Ok(write(general_name::URI, &[text.as_bytes()]));
    }
    let why = format!("`{text}` is not an absolute ASCII URL; write it as http://…");
    Err(PkiError::Unencodable { what: "URL", why })
}
