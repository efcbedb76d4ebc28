//! Reading what a certificate says of itself.

use std::collections::BTreeSet;

use const_oid::db::rfc5280;

use crate::domain::{CertificateFacts, Fingerprint, KeyId, Serial, SubjectAltName, SubjectNames};
use crate::pki::general_name::{self, GeneralName};
use crate::pki::parts::{Certificate, Extension, Tbs};
use crate::pki::tlv::{self, Damage, Tlv};
use crate::pki::{PkiError, key, name, time};

/// The largest certificate that is read, in octets of DER.
pub const MAX_CERTIFICATE_OCTETS: usize = 128 * 1024;

const WHAT: &str = "certificate";

/// What a DER certificate says of itself. No signature is verified.
///
/// Certificates of other makers are read too: names and keys that certctl would not issue are told, not refused.
///
/// # Errors
/// [`PkiError`] when it is too large, not a certificate, or has a serial number outside RFC 5280 §4.1.2.2.
pub fn parse(der: &[u8]) -> Result<CertificateFacts, PkiError> {
    check_size(der)?;
    let damaged = PkiError::malformed;
    let certificate = Certificate::read(der).map_err(damaged(WHAT))?;
    let tbs = Tbs::read(certificate.tbs).map_err(damaged(WHAT))?;
    let serial =
        Serial::from_integer(tbs.serial).map_err(|error| PkiError::Malformed { what: WHAT, why: error.to_string() })?;
    facts(der, &tbs, serial).map_err(damaged(WHAT))
}

/// Whether it is small enough to be read.
pub(crate) fn check_size(der: &[u8]) -> Result<(), PkiError> {
    if der.len() > MAX_CERTIFICATE_OCTETS {
        return Err(PkiError::TooLarge { what: WHAT, octets: der.len(), limit: MAX_CERTIFICATE_OCTETS });
    }
    Ok(())
}

fn facts(der: &[u8], tbs: &Tbs<'_>, serial: Serial) -> Result<CertificateFacts, Damage> {
    let value_of = |oid| tbs.extension(oid).map(|extension: Extension<'_>| extension.value);
    let public_key = key::read(tbs.spki)?;
    let (sans, other_names) = alternative_names(value_of(rfc5280::ID_CE_SUBJECT_ALT_NAME))?;
    let common_name = name::common_name(tbs.subject)?;
    Ok(CertificateFacts {
        serial,
        not_before: time::read(tbs.not_before)?,
        not_after: time::read(tbs.not_after)?,
        fingerprint: Fingerprint::of(der),
        names: SubjectNames::as_written(common_name.as_deref(), sans),
        other_names,
        key_algorithm: public_key.algorithm,
        key_algorithm_text: public_key.algorithm_text,
        spki: tbs.spki.to_vec(),
        key_id: KeyId::of(tbs.spki),
        is_ca: value_of(rfc5280::ID_CE_BASIC_CONSTRAINTS).map_or(Ok(false), is_ca)?,
        subject: name::to_text(tbs.subject),
        issuer: name::to_text(tbs.issuer),
        is_self_issued: tbs.subject == tbs.issuer,
        subject_key_id: value_of(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER).map(subject_key_id).transpose()?,
        authority_key_id: value_of(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER).map_or(Ok(None), authority_key_id)?,
        key_usage: value_of(rfc5280::ID_CE_KEY_USAGE).map(key_usage).transpose()?,
        extended_key_usages: value_of(rfc5280::ID_CE_EXT_KEY_USAGE).map_or(Ok(Vec::new()), key_purposes)?,
        ocsp_urls: value_of(rfc5280::ID_PE_AUTHORITY_INFO_ACCESS).map_or(Ok(Vec::new()), ocsp_urls)?,
        crl_urls: value_of(rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS).map_or(Ok(Vec::new()), crl_urls)?,
    })
}

fn alternative_names(value: Option<&[u8]>) -> Result<(BTreeSet<SubjectAltName>, Vec<String>), Damage> {
    let mut sans = BTreeSet::new();
    let mut others = Vec::new();
    for general_name in value.map_or(Ok(Vec::new()), general_name::read)? {
        match general_name.parse() {
            Ok(san) => {
                sans.insert(san);
            }
            Err(_) => others.push(general_name.to_text()),
        }
    }
    Ok((sans, others))
}

/// BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, … } (RFC 5280 §4.2.1.9).
pub(crate) fn is_ca(value: &[u8]) -> Result<bool, Damage> {
    let mut inner = Tlv::only(value)?.open(tlv::SEQUENCE, "BasicConstraints")?;
    Ok(inner.optional(tlv::BOOLEAN)?.is_some_and(|flag| flag.contents != [0]))
}

/// pathLenConstraint INTEGER (0..MAX) OPTIONAL of BasicConstraints (RFC 5280 §4.2.1.9); one that is too large to matter
/// counts as the largest.
pub(crate) fn path_length(value: &[u8]) -> Result<Option<usize>, Damage> {
    let mut inner = Tlv::only(value)?.open(tlv::SEQUENCE, "BasicConstraints")?;
    inner.optional(tlv::BOOLEAN)?;
    Ok(inner.optional(tlv::INTEGER)?.map(|length| match length.contents {
        [small @ 0..=0x7f] => usize::from(*small),
        [negative, ..] if *negative >= 0x80 => 0,
        _ => usize::MAX,
    }))
}

/// SubjectKeyIdentifier ::= OCTET STRING (RFC 5280 §4.2.1.2).
pub(crate) fn subject_key_id(value: &[u8]) -> Result<Vec<u8>, Damage> {
    let value = Tlv::only(value)?;
    if value.tag == tlv::OCTET_STRING { Ok(value.contents.to_vec()) } else { Err(Damage::Expected("a key identifier")) }
}

/// AuthorityKeyIdentifier ::= SEQUENCE { keyIdentifier \[0\] IMPLICIT OCTET STRING OPTIONAL, … } (RFC 5280 §4.2.1.1).
pub(crate) fn authority_key_id(value: &[u8]) -> Result<Option<Vec<u8>>, Damage> {
    let mut inner = Tlv::only(value)?.open(tlv::SEQUENCE, "an AuthorityKeyIdentifier")?;
    Ok(inner.optional(0x80)?.map(|identifier| identifier.contents.to_vec()))
}

/// KeyUsage ::= BIT STRING, of which nine bits have names (RFC 5280 §4.2.1.3).
pub(crate) fn key_usage(value: &[u8]) -> Result<u16, Damage> {
    let bits = Tlv::only(value)?;
    match (bits.tag, bits.contents) {
        (tlv::BIT_STRING, [0..=7]) => Ok(0),
        (tlv::BIT_STRING, [0..=7, first]) => Ok(u16::from(*first) << 8),
        (tlv::BIT_STRING, [0..=7, first, second, ..]) => Ok(u16::from_be_bytes([*first, *second])),
        _ => Err(Damage::Expected("the BIT STRING of keyUsage")),
    }
}

/// ExtKeyUsageSyntax ::= SEQUENCE OF KeyPurposeId (RFC 5280 §4.2.1.12).
fn key_purposes(value: &[u8]) -> Result<Vec<String>, Damage> {
    let purposes = Tlv::only(value)?.open(tlv::SEQUENCE, "an ExtKeyUsageSyntax")?;
    purposes.values().map(|purpose| purpose.map(|purpose| key::dotted(purpose.contents))).collect()
}

/// The OCSP locations of AuthorityInfoAccessSyntax (RFC 5280 §4.2.2.1).
fn ocsp_urls(value: &[u8]) -> Result<Vec<String>, Damage> {
    let mut urls = Vec::new();
    for description in Tlv::only(value)?.open(tlv::SEQUENCE, "an AuthorityInfoAccessSyntax")?.values() {
        let mut inner = description?.open(tlv::SEQUENCE, "an AccessDescription")?;
        let method = inner.expect(tlv::OBJECT_IDENTIFIER, "an accessMethod")?;
        let location = inner.value()?;
        if method.contents == rfc5280::ID_AD_OCSP.as_bytes() {
            urls.extend(url(location));
        }
    }
    Ok(urls)
}

/// The full names of CRLDistributionPoints (RFC 5280 §4.2.1.13).
fn crl_urls(value: &[u8]) -> Result<Vec<String>, Damage> {
    let mut urls = Vec::new();
    for point in Tlv::only(value)?.open(tlv::SEQUENCE, "CRLDistributionPoints")?.values() {
        let mut point = point?.open(tlv::SEQUENCE, "a DistributionPoint")?;
        let Some(point_name) = point.optional(0xa0)? else { continue };
        if let Some(full_name) = tlv::Reader::new(point_name.contents).optional(0xa0)? {
            for location in tlv::Reader::new(full_name.contents).values() {
                urls.extend(url(location?));
            }
        }
    }
    Ok(urls)
}

fn url(location: Tlv<'_>) -> Option<String> {
    let name = GeneralName(location);
    name.ia5().filter(|_| location.tag == general_name::URI).map(ToOwned::to_owned)
}
