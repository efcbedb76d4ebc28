//! What a revocation list is about, and where the list for a certificate is (RFC 5280 §4.2.1.13, §5.2.5).

use super::distinguished::ComparableName;
use crate::pki::general_name::{DIRECTORY_NAME, GeneralName};
use crate::pki::tlv::{self, Damage, Reader, Tlv};

/// Every reason for which a certificate may be revoked, as bits of ReasonFlags (§4.2.1.13).
pub(super) const ALL_REASONS: u16 = 0x7f80;

/// IssuingDistributionPoint (§5.2.5).
#[derive(Clone, Debug)]
pub(super) struct Scope<'a> {
    pub(super) point: Option<Vec<PointName<'a>>>,
    pub(super) only_users: bool,
    pub(super) only_authorities: bool,
    pub(super) only_attributes: bool,
    pub(super) reasons: Option<u16>,
    pub(super) indirect: bool,
}

/// One name of a distribution point, so that equal ones are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PointName<'a> {
    Directory(ComparableName),
    Other(&'a [u8]),
}

/// DistributionPoint (§4.2.1.13).
#[derive(Debug)]
pub(super) struct Point<'a> {
    pub(super) name: Option<Vec<PointName<'a>>>,
    pub(super) reasons: Option<u16>,
    /// Who signs the list, where it is not the certificate's issuer.
    pub(super) list_issuer: Option<Vec<GeneralName<'a>>>,
}

impl<'a> Scope<'a> {
    /// That of a list without the extension.
    pub(super) const fn everything() -> Self {
        Self {
            point: None,
            only_users: false,
            only_authorities: false,
            only_attributes: false,
            reasons: None,
            indirect: false,
        }
    }

    pub(super) fn read(value: &'a [u8], issuer: &ComparableName) -> Result<Self, Damage> {
        let mut inner = Tlv::only(value)?.open(tlv::SEQUENCE, "an IssuingDistributionPoint")?;
        let point = inner.optional(0xa0)?.map(|name| point_name(name.contents, issuer)).transpose()?;
        let only_users = flag(&mut inner, 0x81)?;
        let only_authorities = flag(&mut inner, 0x82)?;
        let reasons = inner.optional(0x83)?.map(|flags| reason_flags(flags.contents)).transpose()?;
        let indirect = flag(&mut inner, 0x84)?;
        let only_attributes = flag(&mut inner, 0x85)?;
        inner.finish()?;
        Ok(Self { point, only_users, only_authorities, only_attributes, reasons, indirect })
    }
}

impl<'a> Point<'a> {
    /// The point that every certificate has: the whole list of its issuer (§6.3.3).
    pub(super) fn of_issuer(issuer: &ComparableName) -> Self {
        Self { name: Some(vec![PointName::Directory(issuer.clone())]), reasons: None, list_issuer: None }
    }

    /// Those of CRLDistributionPoints.
    pub(super) fn read_all(value: &'a [u8], issuer: &ComparableName) -> Result<Vec<Self>, Damage> {
        let points = Tlv::only(value)?.open(tlv::SEQUENCE, "CRLDistributionPoints")?.values();
        points.map(|point| Self::read(point?, issuer)).collect()
    }

    fn read(point: Tlv<'a>, issuer: &ComparableName) -> Result<Self, Damage> {
        let mut inner = point.open(tlv::SEQUENCE, "a DistributionPoint")?;
        let name = inner.optional(0xa0)?;
        let reasons = inner.optional(0x81)?.map(|flags| reason_flags(flags.contents)).transpose()?;
        let list_issuer = inner.optional(0xa2)?.map(|names| all_names(names.contents)).transpose()?;
        inner.finish()?;
        // A relative name is relative to who signs the list.
        let signs = list_issuer.iter().flatten().find(|name| name.0.tag == DIRECTORY_NAME);
        let signs = signs.map(|name| ComparableName::read(name.0.contents)).transpose()?;
        let name = name.map(|name| point_name(name.contents, signs.as_ref().unwrap_or(issuer))).transpose()?;
        Ok(Self { name, reasons, list_issuer })
    }

    /// Its names and those of a list have one in common.
    pub(super) fn meets(&self, list: &[PointName<'_>]) -> bool {
        let is_there = |name: &PointName<'_>| list.iter().any(|other| other == name);
        match (&self.name, &self.list_issuer) {
            (Some(names), _) => names.iter().any(is_there),
            (None, Some(issuers)) => {
                issuers.iter().filter_map(|name| comparable(*name).ok()).any(|name| is_there(&name))
            }
            (None, None) => false,
        }
    }
}

/// DistributionPointName ::= CHOICE { fullName \[0\] GeneralNames, nameRelativeToCRLIssuer \[1\] RelativeDistinguishedName }.
fn point_name<'a>(choice: &'a [u8], issuer: &ComparableName) -> Result<Vec<PointName<'a>>, Damage> {
    let choice = Tlv::only(choice)?;
    match choice.tag {
        0xa0 => all_names(choice.contents)?.into_iter().map(comparable).collect(),
        0xa1 => Ok(vec![PointName::Directory(issuer.below(choice.contents)?)]),
        _ => Err(Damage::Expected("a DistributionPointName")),
    }
}

fn all_names(contents: &[u8]) -> Result<Vec<GeneralName<'_>>, Damage> {
    Reader::new(contents).values().map(|name| name.map(GeneralName)).collect()
}

fn comparable(name: GeneralName<'_>) -> Result<PointName<'_>, Damage> {
    match name.0.tag {
        DIRECTORY_NAME => ComparableName::read(name.0.contents).map(PointName::Directory),
        _ => Ok(PointName::Other(name.0.whole)),
    }
}

fn flag(inner: &mut Reader<'_>, tag: u8) -> Result<bool, Damage> {
    Ok(inner.optional(tag)?.is_some_and(|flag| flag.contents != [0]))
}

/// ReasonFlags ::= BIT STRING, the first two octets of it.
fn reason_flags(contents: &[u8]) -> Result<u16, Damage> {
    match contents {
        [0..=7] => Ok(0),
        [0..=7, first] => Ok(u16::from(*first) << 8),
        [0..=7, first, second, ..] => Ok(u16::from_be_bytes([*first, *second])),
        _ => Err(Damage::Expected("ReasonFlags")),
    }
}
