//! One certificate, with what RFC 5280 §6.1 asks of it.

use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc4519, rfc5280};

use super::constraint::Subtrees;
use super::distinguished::ComparableName;
use super::{PathError, PathFault};
use crate::domain::Timestamp;
use crate::pki::general_name::{self, GeneralName};
use crate::pki::name::{self, Attribute};
use crate::pki::parts::{Certificate, Tbs};
use crate::pki::tlv::{self, Damage, Reader, Tlv};
use crate::pki::{PkiError, certificate, key, time};

/// emailAddress (PKCS #9, RFC 2985 §5.2.1).
const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");

/// The extensions that are understood. Those about revocation are: whether they are looked into is the caller's choice.
const UNDERSTOOD: [ObjectIdentifier; 12] = [
    rfc5280::ID_CE_BASIC_CONSTRAINTS,
    rfc5280::ID_CE_KEY_USAGE,
    rfc5280::ID_CE_EXT_KEY_USAGE,
    rfc5280::ID_CE_SUBJECT_ALT_NAME,
    rfc5280::ID_CE_NAME_CONSTRAINTS,
    rfc5280::ID_CE_CERTIFICATE_POLICIES,
    rfc5280::ID_CE_POLICY_MAPPINGS,
    rfc5280::ID_CE_POLICY_CONSTRAINTS,
    rfc5280::ID_CE_INHIBIT_ANY_POLICY,
    rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS,
    rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER,
    rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER,
];

/// The issuer's and the subject's policy of a mapping.
type Mapping<'a> = (&'a [u8], &'a [u8]);

/// A certificate, decoded as far as a path needs it.
pub(super) struct Node<'a> {
    pub(super) der: &'a [u8],
    /// The bytes that are signed.
    pub(super) tbs: &'a [u8],
    pub(super) signature_algorithm: &'a [u8],
    /// What the signed bytes name.
    pub(super) inner_algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
    /// The contents of the serial number's INTEGER.
    pub(super) serial: &'a [u8],
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) issuer: ComparableName,
    pub(super) subject: ComparableName,
    /// As they came, to be shown.
    pub(super) issuer_der: &'a [u8],
    pub(super) subject_der: &'a [u8],
    pub(super) spki: &'a [u8],
    /// Whether basicConstraints make it a CA.
    pub(super) is_ca: bool,
    pub(super) path_length: Option<usize>,
    pub(super) key_usage: Option<u16>,
    /// The contents of the key purposes' object identifiers.
    pub(super) purposes: Option<Vec<&'a [u8]>>,
    /// The subject alternative names; `None` without that extension.
    pub(super) names: Option<Vec<GeneralName<'a>>>,
    /// The e-mail addresses of the subject.
    pub(super) subject_mail: Vec<String>,
    /// The common names of the subject.
    pub(super) common_names: Vec<String>,
    pub(super) constraints: Option<Subtrees<'a>>,
    pub(super) policies: Option<Vec<&'a [u8]>>,
    pub(super) mappings: Vec<Mapping<'a>>,
    pub(super) require_explicit_policy: Option<usize>,
    pub(super) inhibit_policy_mapping: Option<usize>,
    pub(super) inhibit_any_policy: Option<usize>,
    /// The value of cRLDistributionPoints.
    pub(super) distribution_points: Option<&'a [u8]>,
    pub(super) subject_key_id: Option<Vec<u8>>,
    pub(super) authority_key_id: Option<Vec<u8>>,
    /// What stands against it whatever path it is in.
    pub(super) unfit: Option<PathFault>,
}

impl<'a> Node<'a> {
    pub(super) fn read(der: &'a [u8]) -> Result<Self, PkiError> {
        certificate::check_size(der)?;
        Self::decode(der).map_err(PkiError::malformed("certificate"))
    }

    fn decode(der: &'a [u8]) -> Result<Self, Damage> {
        let outer = Certificate::read(der)?;
        let tbs = Tbs::read(outer.tbs)?;
        let value_of = |oid| tbs.extension(oid).map(|extension| extension.value);
        let basic_constraints = value_of(rfc5280::ID_CE_BASIC_CONSTRAINTS);
        let (require_explicit_policy, inhibit_policy_mapping) =
            value_of(rfc5280::ID_CE_POLICY_CONSTRAINTS).map_or(Ok((None, None)), policy_constraints)?;
        let attributes = name::attributes(tbs.subject)?;
        Ok(Self {
            der,
            tbs: outer.tbs,
            signature_algorithm: outer.signature_algorithm,
            inner_algorithm: tbs.signature_algorithm,
            signature: outer.signature,
            serial: tbs.serial,
            not_before: time::read(tbs.not_before)?,
            not_after: time::read(tbs.not_after)?,
            issuer: ComparableName::read(tbs.issuer)?,
            subject: ComparableName::read(tbs.subject)?,
            issuer_der: tbs.issuer,
            subject_der: tbs.subject,
            spki: tbs.spki,
            is_ca: basic_constraints.map_or(Ok(false), certificate::is_ca)?,
            path_length: basic_constraints.map_or(Ok(None), certificate::path_length)?,
            key_usage: value_of(rfc5280::ID_CE_KEY_USAGE).map(certificate::key_usage).transpose()?,
            purposes: value_of(rfc5280::ID_CE_EXT_KEY_USAGE).map(identifiers).transpose()?,
            names: value_of(rfc5280::ID_CE_SUBJECT_ALT_NAME).map(general_name::read).transpose()?,
            subject_mail: texts(&attributes, EMAIL_ADDRESS),
            common_names: texts(&attributes, rfc4519::COMMON_NAME),
            constraints: value_of(rfc5280::ID_CE_NAME_CONSTRAINTS).map(Subtrees::read).transpose()?,
            policies: value_of(rfc5280::ID_CE_CERTIFICATE_POLICIES).map(policies).transpose()?,
            mappings: value_of(rfc5280::ID_CE_POLICY_MAPPINGS).map_or(Ok(Vec::new()), mappings)?,
            require_explicit_policy,
            inhibit_policy_mapping,
            inhibit_any_policy: value_of(rfc5280::ID_CE_INHIBIT_ANY_POLICY).map(inhibit_any_policy).transpose()?,
            distribution_points: value_of(rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS),
            subject_key_id: value_of(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER)
                .map(certificate::subject_key_id)
                .transpose()?,
            authority_key_id: value_of(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER)
                .map_or(Ok(None), certificate::authority_key_id)?,
            unfit: unfit(&tbs),
        })
    }

    /// Whether issuer and subject are the same name (RFC 5280 §3.2).
    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// This fault, of this certificate.
    pub(super) fn fault(&self, position: usize, fault: PathFault) -> PathError {
        PathError { position, subject: name::to_text(self.subject_der), fault }
    }
}

/// The first critical extension that is not understood, or that stands there twice.
fn unfit(tbs: &Tbs<'_>) -> Option<PathFault> {
    let mut seen = BTreeSet::new();
    for extension in &tbs.extensions {
        if !seen.insert(extension.oid) {
            return Some(PathFault::RepeatedExtension(key::dotted(extension.oid)));
        }
        let understood = || UNDERSTOOD.iter().any(|known| known.as_bytes() == extension.oid);
        if extension.critical && !understood() {
            return Some(PathFault::CriticalExtension(key::dotted(extension.oid)));
        }
    }
    None
}

fn texts(attributes: &[Attribute<'_>], oid: ObjectIdentifier) -> Vec<String> {
    attributes
        .iter()
        .filter(|attribute| attribute.oid == oid.as_bytes())
        .filter_map(|attribute| name::text(attribute.value))
        .collect()
}

/// SEQUENCE SIZE (1..MAX) OF OBJECT IDENTIFIER: their contents.
fn identifiers(value: &[u8]) -> Result<Vec<&[u8]>, Damage> {
    Tlv::only(value)?.open(tlv::SEQUENCE, "an ExtKeyUsageSyntax")?.values().map(|oid| identifier(oid?)).collect()
}

fn identifier(value: Tlv<'_>) -> Result<&[u8], Damage> {
    if value.tag == tlv::OBJECT_IDENTIFIER { Ok(value.contents) } else { Err(Damage::Expected("an object identifier")) }
}

/// The policies of CertificatePolicies (RFC 5280 §4.2.1.4); their qualifiers are not looked at.
fn policies(value: &[u8]) -> Result<Vec<&[u8]>, Damage> {
    let information = Tlv::only(value)?.open(tlv::SEQUENCE, "CertificatePolicies")?.values();
    let policies: Vec<_> = information
        .map(|one| one?.open(tlv::SEQUENCE, "PolicyInformation").and_then(|mut inner| identifier(inner.value()?)))
        .collect::<Result<_, _>>()?;
    if policies.is_empty() { Err(Damage::Expected("a policy in CertificatePolicies")) } else { Ok(policies) }
}

/// PolicyMappings ::= SEQUENCE OF SEQUENCE { issuerDomainPolicy, subjectDomainPolicy } (RFC 5280 §4.2.1.5).
fn mappings(value: &[u8]) -> Result<Vec<Mapping<'_>>, Damage> {
    let mappings = Tlv::only(value)?.open(tlv::SEQUENCE, "PolicyMappings")?.values();
    mappings
        .map(|one| {
            let mut inner = one?.open(tlv::SEQUENCE, "a policy mapping")?;
            let pair = (identifier(inner.value()?)?, identifier(inner.value()?)?);
            inner.finish()?;
            Ok(pair)
        })
        .collect()
}

/// PolicyConstraints ::= SEQUENCE { requireExplicitPolicy \[0\], inhibitPolicyMapping \[1\] } (RFC 5280 §4.2.1.11).
fn policy_constraints(value: &[u8]) -> Result<(Option<usize>, Option<usize>), Damage> {
    let mut inner = Tlv::only(value)?.open(tlv::SEQUENCE, "PolicyConstraints")?;
    let explicit = inner.optional(0x80)?.map(|number| skip_certificates(number.contents)).transpose()?;
    let mapping = inner.optional(0x81)?.map(|number| skip_certificates(number.contents)).transpose()?;
    inner.finish()?;
    Ok((explicit, mapping))
}

fn inhibit_any_policy(value: &[u8]) -> Result<usize, Damage> {
    let mut inner = Reader::new(value);
    let number = inner.expect(tlv::INTEGER, "a number of certificates")?;
    inner.finish()?;
    skip_certificates(number.contents)
}

/// SkipCerts ::= INTEGER (0..MAX); one that is too large to matter counts as the largest.
fn skip_certificates(contents: &[u8]) -> Result<usize, Damage> {
    match contents {
        [] | [0x80..=0xff, ..] => Err(Damage::Expected("a number of certificates that is not negative")),
        [small] => Ok(usize::from(*small)),
        _ => Ok(usize::MAX),
    }
}
