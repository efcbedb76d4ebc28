//! Whether CAA records let this server certify a name (RFC 8659, with the parameters of RFC 8657).
//!
//! What cannot be read forbids: a record that was meant to allow something and is misspelt must not allow everything.

use crate::domain::AcmeChallengeType;
use crate::ports::CaaRecord;

/// What is to be certified, and who asks.
#[derive(Clone, Copy, Debug)]
pub struct Issuance<'a> {
    /// The names by which records mean this server.
    pub identities: &'a [String],
    /// Whether it is for `*.` and the name.
    pub wildcard: bool,
    /// How control of the name was proven.
    pub method: AcmeChallengeType,
    /// Every URL of the account; none where the server does not know its own.
    pub account_urls: &'a [String],
}

/// Why records forbid it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Forbidden {
    /// None is for this server.
    #[error("do not name this server")]
    Issuer,
    /// One is for this server, and another account.
    #[error("let this server issue for another account")]
    Account,
    /// One is for this server and account, and other challenges.
    #[error("let this server issue only after other types of challenges")]
    Method,
    /// A critical one is not understood.
    #[error("have a critical property that this server does not know")]
    Critical,
}

/// What a record of this server says of who may have a certificate, and how.
struct Property<'a> {
    issuer: &'a str,
    /// Tags and values.
    parameters: Vec<(&'a str, &'a str)>,
}

/// The longest value that is read, in octets; a longer one is no value.
const LONGEST: usize = 2_048;
const ISSUE: &str = "issue";
const ISSUE_WILDCARD: &str = "issuewild";
/// Where to complain. Nobody complains here, and who reads it knows it (RFC 8659 §4.4).
const COMPLAINTS: &str = "iodef";
const ACCOUNT: &str = "accounturi";
const METHODS: &str = "validationmethods";

/// What the records say that are relevant to a name: those of the name or of the nearest one above it that has any (RFC 8659 §3).
///
/// # Errors
/// [`Forbidden`], with what came nearest to allowing it.
pub fn verdict(records: &[CaaRecord], issuance: &Issuance<'_>) -> Result<(), Forbidden> {
    let is = |record: &CaaRecord, tag: &str| record.tag.eq_ignore_ascii_case(tag);
    // RFC 8659 §4.1.
    let known = |record: &CaaRecord| [ISSUE, ISSUE_WILDCARD, COMPLAINTS].iter().any(|tag| is(record, tag));
    if records.iter().any(|record| record.critical && !known(record)) {
        return Err(Forbidden::Critical);
    }
    // RFC 8659 §4.3: of wildcards `issuewild` speaks where there is one, and of other names never.
    let wild = issuance.wildcard && records.iter().any(|record| is(record, ISSUE_WILDCARD));
    let tag = if wild { ISSUE_WILDCARD } else { ISSUE };
    let mut nearest = None;
    for record in records.iter().filter(|record| is(record, tag)) {
        match allows(&record.value, issuance) {
            Ok(()) => return Ok(()),
            Err(forbidden) => nearest = nearest.max(Some(forbidden)),
        }
    }
    // Without a record of the tag nothing is restricted.
    nearest.map_or(Ok(()), Err)
}

/// Whether this is a name of an issuer, as `issue` properties have them (RFC 8659 §4.2).
pub fn is_issuer_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

fn allows(value: &[u8], issuance: &Issuance<'_>) -> Result<(), Forbidden> {
    let property = property(value).ok_or(Forbidden::Issuer)?;
    if !issuance.identities.iter().any(|identity| identity.eq_ignore_ascii_case(property.issuer)) {
        return Err(Forbidden::Issuer);
    }
    // RFC 8657 §3: the URL as it is, without any rule by which two of them could be the same.
    let account = |url: &str| issuance.account_urls.iter().any(|own| own == url);
    if !property.parameter(ACCOUNT).permits(account) {
        return Err(Forbidden::Account);
    }
    if !property.parameter(METHODS).permits(|methods| is_among(issuance.method, methods)) {
        return Err(Forbidden::Method);
    }
    Ok(())
}

/// A parameter that a property may have once (RFC 8657 §3, §4).
enum Parameter<'a> {
    Absent,
    Once(&'a str),
    /// Nobody knows which of them was meant.
    Often,
}

impl Property<'_> {
    fn parameter(&self, tag: &str) -> Parameter<'_> {
        let mut values = self.parameters.iter().filter(|(named, _)| named.eq_ignore_ascii_case(tag));
        match (values.next(), values.next()) {
            (None, _) => Parameter::Absent,
            (Some((_, value)), None) => Parameter::Once(value),
            _ => Parameter::Often,
        }
    }
}

impl Parameter<'_> {
    fn permits(&self, fits: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Absent => true,
            Self::Once(value) => fits(value),
            Self::Often => false,
        }
    }
}

/// Whether a list of methods is one and has this one (RFC 8657 §4).
fn is_among(method: AcmeChallengeType, methods: &str) -> bool {
    let label =
        |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    methods.split(',').all(label) && methods.split(',').any(|text| text == method.name())
}

/// Reads the value of an `issue` or `issuewild` property; `None` where it does not have the form of RFC 8659 §4.2, which counts as
/// the name of no issuer.
fn property(value: &[u8]) -> Option<Property<'_>> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= LONGEST)?;
    let (issuer, rest) = match text.split_once(';') {
        Some((issuer, rest)) => (trimmed(issuer), trimmed(rest)),
        None => (trimmed(text), ""),
    };
    if !issuer.is_empty() && !is_issuer_name(issuer) {
        return None;
    }
    let parameters = if rest.is_empty() { Some(Vec::new()) } else { rest.split(';').map(parameter).collect() };
    Some(Property { issuer, parameters: parameters? })
}

fn parameter(text: &str) -> Option<(&str, &str)> {
    let (tag, value) = text.split_once('=')?;
    let (tag, value) = (trimmed(tag), trimmed(value));
    (is_label(tag) && value.bytes().all(|octet| octet.is_ascii_graphic())).then_some((tag, value))
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Letters, digits and, between them, hyphens.
fn is_label(text: &str) -> bool {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
    !text.is_empty() && text.bytes().all(plain) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://pki.example/acme/account/7";

    fn record(critical: bool, tag: &str, value: &str) -> CaaRecord {
        CaaRecord { critical, tag: tag.to_owned(), value: value.into() }
    }

    fn asked(records: &[CaaRecord], wildcard: bool) -> Result<(), Forbidden> {
        let (identities, account_urls) = (["ca.example".to_owned(), "pki.example".to_owned()], [URL.to_owned()]);
        let method = AcmeChallengeType::Dns01;
        verdict(records, &Issuance { identities: &identities, wildcard, method, account_urls: &account_urls })
    }

    /// One `issue` property of this value.
    fn issue(value: &str) -> Result<(), Forbidden> {
        asked(&[record(false, "issue", value)], false)
    }

    #[test]
    fn a_property_is_read_as_rfc_8659_section_4_2_has_it() {
        for value in [
            "ca.example",
            "CA.Example",
            " \tca.example\t ",
            "ca.example;",
            "ca.example ; ",
            "ca.example; policy=ev",
            "pki.example; a=1; b =\t2 ; c=",
        ] {
            assert_eq!(issue(value), Ok(()), "{value:?}");
        }
        for value in [
            "",
            ";",
            "other.example",
            "ca.example.",
            "ca..example",
            "sub.ca.example",
            "-ca.example",
            "ca.example other.example",
            "ca.example, other.example",
            "ca.example; policy",
            "ca.example; =ev",
            "ca.example; a=1;",
            "ca.example; a=1 2",
            "ca.example; p\u{e4}=1",
            "%%%%%",
        ] {
            assert_eq!(issue(value), Err(Forbidden::Issuer), "{value:?}");
        }
        let long = format!("ca.example; a={}", "x".repeat(LONGEST));
        assert_eq!(issue(&long), Err(Forbidden::Issuer));
        assert_eq!(
            asked(&[CaaRecord { value: vec![0xff], ..record(false, "issue", "") }], false),
            Err(Forbidden::Issuer)
        );
    }

    #[test]
    fn one_property_that_allows_is_enough_and_none_restricts_nothing() {
        assert_eq!(asked(&[], false), Ok(()));
        assert_eq!(asked(&[record(false, "iodef", "mailto:a@b.example"), record(false, "tbs", "x")], true), Ok(()));
        let both = [record(false, "issue", "other.example"), record(false, "ISSUE", "ca.example")];
        assert_eq!(asked(&both, false), Ok(()));
        assert_eq!(asked(&both[..1], false), Err(Forbidden::Issuer));
    }

    #[test]
    fn wildcards_have_a_property_of_their_own() {
        let [issue, wild, nobody] = [("issue", "ca.example"), ("issuewild", "other.example"), ("issuewild", ";")]
            .map(|(tag, value)| record(false, tag, value));
        assert_eq!(asked(std::slice::from_ref(&issue), true), Ok(()));
        for records in [vec![issue.clone(), wild.clone()], vec![issue, nobody]] {
            assert_eq!((asked(&records, false), asked(&records, true)), (Ok(()), Err(Forbidden::Issuer)));
        }
        // `issuewild` alone says nothing of other names.
        assert_eq!((asked(std::slice::from_ref(&wild), false), asked(&[wild], true)), (Ok(()), Err(Forbidden::Issuer)));
        let wild = [record(false, "issue", ";"), record(false, "issuewild", "ca.example")];
        assert_eq!((asked(&wild, false), asked(&wild, true)), (Err(Forbidden::Issuer), Ok(())));
    }

    #[test]
    fn what_is_critical_must_be_known() {
        let issue = record(true, "issue", "ca.example");
        assert_eq!(asked(&[issue.clone(), record(true, "iodef", "mailto:a@b.example")], false), Ok(()));
        assert_eq!(asked(&[issue.clone(), record(false, "tbs", "x")], false), Ok(()));
        assert_eq!(asked(&[issue, record(true, "tbs", "x")], false), Err(Forbidden::Critical));
    }

    #[test]
    fn a_property_may_be_for_one_account() {
        assert_eq!(issue(&format!("ca.example; accounturi={URL}")), Ok(()));
        assert_eq!(issue(&format!("ca.example; AccountURI = {URL}")), Ok(()));
        for other in ["https://pki.example/acme/account/8", "", "HTTPS://PKI.EXAMPLE/acme/account/7", "7"] {
            assert_eq!(issue(&format!("ca.example; accounturi={other}")), Err(Forbidden::Account), "{other}");
        }
        assert_eq!(issue(&format!("ca.example; accounturi={URL}; accounturi={URL}")), Err(Forbidden::Account));
        // Of several properties any is enough.
        let [other, own] = ["https://pki.example/acme/account/8", URL]
            .map(|url| record(false, "issue", &format!("ca.example; accounturi={url}")));
        assert_eq!(asked(&[other, own], false), Ok(()));
    }

    #[test]
    fn a_property_may_be_for_some_methods() {
        for methods in ["dns-01", "http-01,dns-01", "ca-phone,dns-01,tls-alpn-01"] {
            assert_eq!(issue(&format!("ca.example; validationmethods={methods}")), Ok(()), "{methods}");
        }
        for methods in ["http-01", "", "dns-01,", "dns-01,,http-01", "DNS-01", "dns-01;validationmethods=dns-01"] {
            let verdict = issue(&format!("ca.example; validationmethods={methods}"));
            assert_eq!(verdict, Err(Forbidden::Method), "{methods}");
        }
        let other = "https://pki.example/acme/account/8";
        let both = format!("ca.example; accounturi={other}; validationmethods=dns-01");
        assert_eq!(issue(&both), Err(Forbidden::Account));
    }
}
