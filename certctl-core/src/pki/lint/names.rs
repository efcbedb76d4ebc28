//! Rules on subject, issuer and subject alternative names.

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc3280, rfc4519, rfc5280};

use super::{Verdict, View};
use crate::domain::SubjectAltName;
use crate::pki::general_name::GeneralName;
use crate::pki::name::{self, Attribute};
use crate::pki::{key, tlv};

/// domainComponent and emailAddress are IA5String (RFC 5280 appendix A.1).
const IA5_STRING: u8 = 0x16;

/// The upper bounds, in characters.
const BOUNDS: [(ObjectIdentifier, usize); 6] = [
    (rfc4519::COMMON_NAME, 64),
    (rfc4519::ORGANIZATION_NAME, 64),
    (rfc4519::ORGANIZATIONAL_UNIT_NAME, 64),
    (rfc4519::LOCALITY_NAME, 128),
    (rfc4519::ST, 128),
    (rfc4519::SERIAL_NUMBER, 64),
];

/// Subject and issuer, with what they are called.
fn attributes<'v, 'a>(view: &'v View<'a>) -> impl Iterator<Item = (&'static str, &'v Attribute<'a>)> {
    let of = |what, name: &'v Option<Vec<Attribute<'a>>>| name.iter().flatten().map(move |attribute| (what, attribute));
    of("subject", &view.subject).chain(of("issuer", &view.issuer))
}

fn every(view: &View<'_>, wrong: impl Fn(&Attribute<'_>) -> Option<String>) -> Verdict {
    match attributes(view).find_map(|(what, attribute)| Some((what, attribute, wrong(attribute)?))) {
        Some((what, attribute, why)) => Err(format!("attribute {} of the {what} {why}", key::dotted(attribute.oid))),
        None => Ok(()),
    }
}

pub(super) fn well_formed(view: &View<'_>) -> Verdict {
    for (what, der) in [("subject", view.tbs.subject), ("issuer", view.tbs.issuer)] {
        name::attributes(der).map_err(|damage| format!("{what}: {damage}"))?;
    }
    Ok(())
}

pub(super) fn issuer_not_empty(view: &View<'_>) -> Verdict {
    match &view.issuer {
        Some(issuer) if issuer.is_empty() => Err("the issuer has no attribute".to_owned()),
        _ => Ok(()),
    }
}

pub(super) fn ca_subject_not_empty(view: &View<'_>) -> Verdict {
    match &view.subject {
        Some(subject) if subject.is_empty() && view.is_ca() => Err("a CA's subject has no attribute".to_owned()),
        _ => Ok(()),
    }
}

/// New names use UTF8String or PrintableString; countryName and serialNumber only the latter; domainComponent and
/// emailAddress IA5String.
pub(super) fn directory_string_types(view: &View<'_>) -> Verdict {
    every(view, |attribute| {
        let is = |oid: ObjectIdentifier| attribute.oid == oid.as_bytes();
        let allowed: &[u8] = if is(rfc4519::COUNTRY_NAME) || is(rfc4519::SERIAL_NUMBER) {
            &[tlv::PRINTABLE_STRING]
        } else if is(rfc4519::DOMAIN_COMPONENT) || is(rfc3280::EMAIL_ADDRESS) {
            &[IA5_STRING]
        } else {
            &[tlv::PRINTABLE_STRING, tlv::UTF8_STRING]
        };
        (!allowed.contains(&attribute.value.tag)).then(|| format!("has the string type {:#04x}", attribute.value.tag))
    })
}

pub(super) fn printable_string_alphabet(view: &View<'_>) -> Verdict {
    let printable = |octet: &u8| octet.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(octet);
    every(view, |attribute| {
        let wrong = attribute.value.tag == tlv::PRINTABLE_STRING && !attribute.value.contents.iter().all(printable);
        wrong.then(|| "has characters that no PrintableString has".to_owned())
    })
}

pub(super) fn utf8_string_valid(view: &View<'_>) -> Verdict {
    every(view, |attribute| {
        let wrong = attribute.value.tag == tlv::UTF8_STRING && std::str::from_utf8(attribute.value.contents).is_err();
        wrong.then(|| "is not UTF-8".to_owned())
    })
}

pub(super) fn attributes_not_empty(view: &View<'_>) -> Verdict {
    every(view, |attribute| attribute.value.contents.is_empty().then(|| "is empty".to_owned()))
}

pub(super) fn attribute_lengths(view: &View<'_>) -> Verdict {
    every(view, |attribute| {
        let (_, bound) = BOUNDS.iter().find(|(oid, _)| attribute.oid == oid.as_bytes())?;
        let length = name::text(attribute.value)?.chars().count();
        (length > *bound).then(|| format!("has {length} characters, at most {bound} are allowed"))
    })
}

pub(super) fn country_two_letters(view: &View<'_>) -> Verdict {
    every(view, |attribute| {
        let value = attribute.value.contents;
        let wrong = attribute.oid == rfc4519::COUNTRY_NAME.as_bytes()
            && !value.is_empty()
            && !(value.len() == 2 && value.iter().all(u8::is_ascii_uppercase));
        wrong.then(|| "is not a country of two capital letters".to_owned())
    })
}

pub(super) fn subject_or_san(view: &View<'_>) -> Verdict {
    let empty = view.subject.as_ref().is_some_and(Vec::is_empty) && !view.is_ca();
    if empty && view.extension(rfc5280::ID_CE_SUBJECT_ALT_NAME).is_none() {
        return Err("the subject is empty and there is no subject alternative name".to_owned());
    }
    Ok(())
}

pub(super) fn san_critical_without_subject(view: &View<'_>) -> Verdict {
    let empty = view.subject.as_ref().is_some_and(Vec::is_empty);
    match view.extension(rfc5280::ID_CE_SUBJECT_ALT_NAME) {
        Some(san) if empty && !san.critical => {
            Err("the subject is empty and subjectAltName is not critical".to_owned())
        }
        _ => Ok(()),
    }
}

/// Every SAN of this kind reads as the domain writes it.
fn every_san(view: &View<'_>, kind: &'static str) -> Verdict {
    for san in view.sans.iter().flatten().filter(|san| san.kind() == kind) {
        match san.parse() {
            Ok(parsed) if is_canonical(san, &parsed) => {}
            Ok(parsed) => return Err(format!("{} is not written as `{parsed}`", san.to_text())),
            Err(unfit) => return Err(unfit.to_string()),
        }
    }
    Ok(())
}

/// Lower case matters to nobody in a DNS name; A-labels do (RFC 5280 §7.2).
fn is_canonical(san: &GeneralName<'_>, parsed: &SubjectAltName) -> bool {
    san.ia5().is_none_or(|text| text.eq_ignore_ascii_case(&parsed.to_string()))
}

pub(super) fn san_dns_syntax(view: &View<'_>) -> Verdict {
    every_san(view, "dNSName")
}

pub(super) fn san_email_syntax(view: &View<'_>) -> Verdict {
    every_san(view, "rfc822Name")
}

pub(super) fn san_uri_syntax(view: &View<'_>) -> Verdict {
    every_san(view, "uniformResourceIdentifier")
}

/// Four octets for IPv4, sixteen for IPv6.
pub(super) fn san_ip_length(view: &View<'_>) -> Verdict {
    let wrong = view.sans.iter().flatten().find(|san| san.kind() == "iPAddress" && san.parse().is_err());
    wrong.map_or(Ok(()), |san| Err(format!("{} has neither 4 nor 16 octets", san.to_text())))
}
