//! A certificate as rules look at it: every part decoded once, and what could not be decoded noted.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;

use crate::domain::Timestamp;
use crate::pki::certificate::{authority_key_id, subject_key_id};
use crate::pki::general_name::{self, GeneralName};
use crate::pki::key::{self, PublicKey};
use crate::pki::name::{self, Attribute};
use crate::pki::parts::{Extension, Tbs};
use crate::pki::time;
use crate::pki::tlv::{self, Damage, Reader, Tlv};

/// A certificate, decoded as far as it can be. A part that is absent or damaged is `None`.
pub(super) struct View<'a> {
    pub(super) tbs: Tbs<'a>,
    pub(super) not_before: Option<Timestamp>,
    pub(super) not_after: Option<Timestamp>,
    pub(super) subject: Option<Vec<Attribute<'a>>>,
    pub(super) issuer: Option<Vec<Attribute<'a>>>,
    pub(super) key: Option<PublicKey<'a>>,
    pub(super) basic_constraints: Option<BasicConstraints<'a>>,
    pub(super) key_usage: Option<KeyUsage<'a>>,
    /// The object identifiers in dots.
    pub(super) purposes: Option<Vec<String>>,
    pub(super) sans: Option<Vec<GeneralName<'a>>>,
    /// The object identifiers in dots.
    pub(super) policies: Option<Vec<String>>,
    pub(super) crl_locations: Option<Vec<GeneralName<'a>>>,
    pub(super) access: Option<Vec<Access<'a>>>,
    /// Extensions whose value is not what their object identifier promises.
    pub(super) damaged_extensions: Vec<(&'static str, Damage)>,
}

/// BasicConstraints (RFC 5280 §4.2.1.9).
pub(super) struct BasicConstraints<'a> {
    pub(super) ca: bool,
    pub(super) path_length: Option<&'a [u8]>,
}

/// The named bits of keyUsage (RFC 5280 §4.2.1.3).
pub(super) struct KeyUsage<'a> {
    /// The octets of the BIT STRING.
    octets: &'a [u8],
}

/// One AccessDescription (RFC 5280 §4.2.2.1).
pub(super) struct Access<'a> {
    pub(super) method: &'a [u8],
    pub(super) location: GeneralName<'a>,
}

/// The named bits, by their number.
pub(super) const DIGITAL_SIGNATURE: usize = 0;
pub(super) const KEY_ENCIPHERMENT: usize = 2;
pub(super) const DATA_ENCIPHERMENT: usize = 3;
pub(super) const KEY_AGREEMENT: usize = 4;
pub(super) const KEY_CERT_SIGN: usize = 5;

impl KeyUsage<'_> {
    pub(super) fn has(&self, bit: usize) -> bool {
        self.octets.get(bit / 8).is_some_and(|octet| octet & (0x80 >> (bit % 8)) != 0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.octets.iter().all(|octet| *octet == 0)
    }
}

impl<'a> View<'a> {
    pub(super) fn read(tbs: &'a [u8]) -> Result<Self, Damage> {
        tlv::check_depth(tbs)?;
        let tbs = Tbs::read(tbs)?;
        let mut damaged = Vec::new();
        let mut decoder = Decoder { tbs: &tbs, damaged: &mut damaged };
        let basic_constraints = decoder.decode(rfc5280::ID_CE_BASIC_CONSTRAINTS, "basicConstraints", basic_constraints);
        let key_usage = decoder.decode(rfc5280::ID_CE_KEY_USAGE, "keyUsage", key_usage);
        let purposes = decoder.decode(rfc5280::ID_CE_EXT_KEY_USAGE, "extKeyUsage", oids);
        let sans = decoder.decode(rfc5280::ID_CE_SUBJECT_ALT_NAME, "subjectAltName", general_name::read);
        let policies = decoder.decode(rfc5280::ID_CE_CERTIFICATE_POLICIES, "certificatePolicies", policies);
        let crl_locations =
            decoder.decode(rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS, "cRLDistributionPoints", crl_locations);
        let access = decoder.decode(rfc5280::ID_PE_AUTHORITY_INFO_ACCESS, "authorityInfoAccess", access);
        decoder.decode(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, "subjectKeyIdentifier", subject_key_id);
        decoder.decode(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER, "authorityKeyIdentifier", authority_key_id);
        Ok(Self {
            not_before: time::read(tbs.not_before).ok(),
            not_after: time::read(tbs.not_after).ok(),
            subject: name::attributes(tbs.subject).ok(),
            issuer: name::attributes(tbs.issuer).ok(),
            key: key::read(tbs.spki).ok(),
            basic_constraints,
            key_usage,
            purposes,
            sans,
            policies,
            crl_locations,
            access,
            damaged_extensions: damaged,
            tbs,
        })
    }

    /// The extension of this kind.
    pub(super) fn extension(&self, oid: ObjectIdentifier) -> Option<Extension<'a>> {
        self.tbs.extension(oid)
    }

    /// Whether it says to be a CA.
    pub(super) fn is_ca(&self) -> bool {
        self.basic_constraints.as_ref().is_some_and(|constraints| constraints.ca)
    }

    /// Whether subject and issuer are the same.
    pub(super) fn is_self_issued(&self) -> bool {
        self.tbs.subject == self.tbs.issuer
    }
}

struct Decoder<'v, 'a> {
    tbs: &'v Tbs<'a>,
    damaged: &'v mut Vec<(&'static str, Damage)>,
}

impl<'a> Decoder<'_, 'a> {
    fn decode<T>(
        &mut self,
        oid: ObjectIdentifier,
        name: &'static str,
        read: impl FnOnce(&'a [u8]) -> Result<T, Damage>,
    ) -> Option<T> {
        let extension = self.tbs.extension(oid)?;
        match read(extension.value) {
            Ok(value) => Some(value),
            Err(damage) => {
                self.damaged.push((name, damage));
                None
            }
        }
    }
}

fn basic_constraints(value: &[u8]) -> Result<BasicConstraints<'_>, Damage> {
    let mut inner = Tlv::only(value)?.open(tlv::SEQUENCE, "BasicConstraints")?;
    let ca = inner.optional(tlv::BOOLEAN)?.is_some_and(|flag| flag.contents != [0]);
    let path_length = inner.optional(tlv::INTEGER)?.map(|length| length.contents);
    inner.finish()?;
    Ok(BasicConstraints { ca, path_length })
}

fn key_usage(value: &[u8]) -> Result<KeyUsage<'_>, Damage> {
    let bits = Tlv::only(value)?;
    match (bits.tag, bits.contents.split_first()) {
        (tlv::BIT_STRING, Some((0..=7, octets))) => Ok(KeyUsage { octets }),
        _ => Err(Damage::Expected("the BIT STRING of keyUsage")),
    }
}

fn oids(value: &[u8]) -> Result<Vec<String>, Damage> {
    let list = Tlv::only(value)?.open(tlv::SEQUENCE, "an ExtKeyUsageSyntax")?;
    list.values()
        .map(|oid| match oid? {
            Tlv { tag: tlv::OBJECT_IDENTIFIER, contents, .. } => Ok(key::dotted(contents)),
            _ => Err(Damage::Expected("a KeyPurposeId")),
        })
        .collect()
}

fn policies(value: &[u8]) -> Result<Vec<String>, Damage> {
    let list = Tlv::only(value)?.open(tlv::SEQUENCE, "CertificatePolicies")?;
    list.values()
        .map(|information| {
            let mut information = information?.open(tlv::SEQUENCE, "a PolicyInformation")?;
            Ok(key::dotted(information.expect(tlv::OBJECT_IDENTIFIER, "a policyIdentifier")?.contents))
        })
        .collect()
}

fn crl_locations(value: &[u8]) -> Result<Vec<GeneralName<'_>>, Damage> {
    let mut locations = Vec::new();
    for point in Tlv::only(value)?.open(tlv::SEQUENCE, "CRLDistributionPoints")?.values() {
        let mut point = point?.open(tlv::SEQUENCE, "a DistributionPoint")?;
        let Some(name) = point.optional(0xa0)? else { continue };
        if let Some(full_name) = Reader::new(name.contents).optional(0xa0)? {
            for location in Reader::new(full_name.contents).values() {
                locations.push(GeneralName(location?));
            }
        }
    }
    Ok(locations)
}

fn access(value: &[u8]) -> Result<Vec<Access<'_>>, Damage> {
    let list = Tlv::only(value)?.open(tlv::SEQUENCE, "an AuthorityInfoAccessSyntax")?;
    list.values()
        .map(|description| {
            let mut inner = description?.open(tlv::SEQUENCE, "an AccessDescription")?;
            let method = inner.expect(tlv::OBJECT_IDENTIFIER, "an accessMethod")?.contents;
            let location = GeneralName(inner.value()?);
            inner.finish()?;
            Ok(Access { method, location })
        })
        .collect()
}
