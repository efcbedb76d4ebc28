//! A certificate taken apart, every part as it came (RFC 5280 §4.1).
//!
//! This decoder is lenient where lint rules are strict: it reads what a rule must be able to complain about.

use const_oid::ObjectIdentifier;

use super::key;
use super::tlv::{self, Damage, Reader, Tlv};

/// Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }.
pub(crate) struct Certificate<'a> {
    /// The TBSCertificate: the bytes that are signed.
    pub(crate) tbs: &'a [u8],
    /// The outer AlgorithmIdentifier.
    pub(crate) signature_algorithm: &'a [u8],
    /// The contents of the signature's BIT STRING.
    pub(crate) signature: &'a [u8],
}

/// TBSCertificate.
pub(crate) struct Tbs<'a> {
    /// The number that version carries: 0 for v1 (also when absent), 2 for v3.
    pub(crate) version: u8,
    /// The contents of the serial number's INTEGER.
    pub(crate) serial: &'a [u8],
    /// The inner AlgorithmIdentifier.
    pub(crate) signature_algorithm: &'a [u8],
    /// The issuer's DER Name.
    pub(crate) issuer: &'a [u8],
    /// First moment of validity.
    pub(crate) not_before: Tlv<'a>,
    /// Last moment of validity.
    pub(crate) not_after: Tlv<'a>,
    /// The subject's DER Name.
    pub(crate) subject: &'a [u8],
    /// The DER SubjectPublicKeyInfo.
    pub(crate) spki: &'a [u8],
    /// Whether an issuerUniqueID or subjectUniqueID is there.
    pub(crate) has_unique_id: bool,
    /// The extensions, in order; empty when the field is absent.
    pub(crate) extensions: Vec<Extension<'a>>,
    /// Whether the extensions field is there.
    pub(crate) has_extensions: bool,
}

/// One extension.
#[derive(Clone, Copy)]
pub(crate) struct Extension<'a> {
    /// The contents of its object identifier.
    pub(crate) oid: &'a [u8],
    /// Its criticality.
    pub(crate) critical: bool,
    /// Whether `critical` was left to its default or written as DER demands (X.690 §11.1, §11.5).
    pub(crate) critical_is_der: bool,
    /// The DER inside extnValue.
    pub(crate) value: &'a [u8],
}

impl<'a> Certificate<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, Damage> {
        tlv::check_depth(der)?;
        let mut inner = Tlv::only(der)?.open(tlv::SEQUENCE, "a Certificate")?;
        let tbs = inner.expect(tlv::SEQUENCE, "a TBSCertificate")?.whole;
        let signature_algorithm = inner.expect(tlv::SEQUENCE, "a signature algorithm")?.whole;
        let signature = key::bit_string(inner.expect(tlv::BIT_STRING, "a signature")?.contents)?;
        inner.finish()?;
        Ok(Self { tbs, signature_algorithm, signature })
    }
}

impl<'a> Tbs<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, Damage> {
        let mut inner = Tlv::only(der)?.open(tlv::SEQUENCE, "a TBSCertificate")?;
        let version = inner.optional(0xa0)?.map_or(Ok(0), |field| version(field.contents))?;
        let serial = inner.expect(tlv::INTEGER, "a serialNumber")?.contents;
        let signature_algorithm = inner.expect(tlv::SEQUENCE, "a signature algorithm")?.whole;
        let issuer = inner.expect(tlv::SEQUENCE, "an issuer")?.whole;
        let mut validity = inner.open(tlv::SEQUENCE, "a validity")?;
        let (not_before, not_after) = (validity.value()?, validity.value()?);
        validity.finish()?;
        let subject = inner.expect(tlv::SEQUENCE, "a subject")?.whole;
        let spki = inner.expect(tlv::SEQUENCE, "a subjectPublicKeyInfo")?.whole;
        let issuer_unique_id = inner.optional(0x81)?;
        let subject_unique_id = inner.optional(0x82)?;
        let field = inner.optional(0xa3)?;
        inner.finish()?;
        let extensions = field.map_or(Ok(Vec::new()), |field| extensions(field.contents))?;
        Ok(Self {
            version,
            serial,
            signature_algorithm,
            issuer,
            not_before,
            not_after,
            subject,
            spki,
            has_unique_id: issuer_unique_id.is_some() || subject_unique_id.is_some(),
            extensions,
            has_extensions: field.is_some(),
        })
    }

    /// The first extension of this kind.
    pub(crate) fn extension(&self, oid: ObjectIdentifier) -> Option<Extension<'a>> {
        self.extensions.iter().find(|extension| extension.oid == oid.as_bytes()).copied()
    }
}

fn version(explicit: &[u8]) -> Result<u8, Damage> {
    let mut inner = Reader::new(explicit);
    let number = inner.expect(tlv::INTEGER, "a version")?;
    inner.finish()?;
    match number.contents {
        [version] => Ok(*version),
        _ => Err(Damage::Expected("a version of one octet")),
    }
}

/// Extensions ::= SEQUENCE OF Extension.
pub(crate) fn extensions(sequence: &[u8]) -> Result<Vec<Extension<'_>>, Damage> {
    Tlv::only(sequence)?
        .open(tlv::SEQUENCE, "Extensions")?
        .values()
        .map(|extension| read_extension(extension?))
        .collect()
}

fn read_extension(extension: Tlv<'_>) -> Result<Extension<'_>, Damage> {
    let mut inner = extension.open(tlv::SEQUENCE, "an Extension")?;
    let oid = inner.expect(tlv::OBJECT_IDENTIFIER, "the object identifier of an extension")?.contents;
    let critical = inner.optional(tlv::BOOLEAN)?.map(|flag| flag.contents);
    let value = inner.expect(tlv::OCTET_STRING, "the value of an extension")?.contents;
    inner.finish()?;
    Ok(Extension {
        oid,
        critical: critical.is_some_and(|octets| octets != [0]),
        critical_is_der: critical.is_none_or(|octets| octets == [0xff]),
        value,
    })
}
