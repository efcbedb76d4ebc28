//! The names that are ordered (RFC 8555 §7.1.3, RFC 8738).

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::Deserialize;

use super::problem::{Problem, ProblemType, Subproblem};
use crate::domain::{AcmeIdentifier, AcmeIdentifierType, DnsName, MAX_NAMES, NameError, SubjectAltName, SubjectNames};

/// A name as it was sent.
#[derive(Clone, Debug, Deserialize)]
pub struct WrittenIdentifier {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

/// Reads the names of an order: sorted, each once.
///
/// # Errors
/// `malformed` for none or too many; else what is wrong with each name that is none, or of another kind.
pub fn parse_all(written: &[WrittenIdentifier]) -> Result<Vec<AcmeIdentifier>, Problem> {
    if written.is_empty() {
        return Err(Problem::malformed("`identifiers` is empty; name what the certificate is for"));
    }
    if written.len() > MAX_NAMES {
        return Err(Problem::malformed(format!("one certificate carries at most {MAX_NAMES} names")));
    }
    let (mut names, mut refused) = (BTreeSet::new(), Vec::new());
    for identifier in written {
        match parse(identifier) {
            Ok(name) => {
                names.insert(name);
            }
            Err(subproblem) => refused.push(subproblem),
        }
    }
    match refused.as_slice() {
        [] => Ok(names.into_iter().collect()),
        [one] => Err(Problem::new(one.kind, one.detail.clone()).about(refused)),
        [first, ..] => {
            let detail = format!("{} of the names cannot be certified", refused.len());
            Err(Problem::new(first.kind, detail).about(refused))
        }
    }
}

fn parse(written: &WrittenIdentifier) -> Result<AcmeIdentifier, Subproblem> {
    let (kind, text) = (written.kind.as_str(), written.value.as_str());
    let shown = AcmeIdentifier { kind: AcmeIdentifierType::Dns, value: text.chars().take(260).collect() };
    match kind {
        "dns" => {
            let refused = |detail: String| Subproblem {
                kind: ProblemType::RejectedIdentifier,
                detail,
                identifier: shown.clone(),
            };
            let name = DnsName::parse(text).map_err(|error| refused(error.to_string()))?;
            if !text.is_ascii() {
                let detail = format!("write `{text}` in A-labels: {name} (RFC 8555 section 7.1.4)");
                return Err(refused(detail));
            }
            Ok(AcmeIdentifier { kind: AcmeIdentifierType::Dns, value: name.to_string() })
        }
        "ip" => match text.parse::<IpAddr>() {
            Ok(address) => Ok(AcmeIdentifier { kind: AcmeIdentifierType::Ip, value: address.to_string() }),
            Err(_) => Err(Subproblem {
                kind: ProblemType::RejectedIdentifier,
                detail: "it is no IP address in the form of RFC 8738 section 3".into(),
                identifier: AcmeIdentifier { kind: AcmeIdentifierType::Ip, ..shown },
            }),
        },
        _ => Err(Subproblem {
            kind: ProblemType::UnsupportedIdentifier,
            detail: "names of this type are not certified; use `dns` or `ip`".into(),
            identifier: shown,
        }),
    }
}

/// The names as a certificate carries them, with the common name that the request had.
///
/// # Errors
/// [`NameError`] when the common name is none.
pub fn to_names(identifiers: &[AcmeIdentifier], common_name: Option<&str>) -> Result<SubjectNames, NameError> {
    let sans =
        identifiers.iter().map(|identifier| SubjectAltName::parse(&identifier.value)).collect::<Result<_, _>>()?;
    SubjectNames::from_parsed(common_name.unwrap_or_default(), sans)
}

impl AcmeIdentifier {
    /// The name that an authorization is for, and whether it is for a wildcard of it (RFC 8555 §7.1.4).
    pub(crate) fn authorized(&self) -> (&str, bool) {
        match (self.kind, self.value.strip_prefix("*.")) {
            (AcmeIdentifierType::Dns, Some(name)) => (name, true),
            _ => (&self.value, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(names: &[(&str, &str)]) -> Vec<WrittenIdentifier> {
        names.iter().map(|(kind, value)| WrittenIdentifier { kind: (*kind).into(), value: (*value).into() }).collect()
    }

    #[test]
    fn names_are_canonical_and_each_there_once() {
        let parsed =
            parse_all(&written(&[("ip", "2001:DB8::1"), ("dns", "WWW.Example.com"), ("dns", "www.example.com")]))
                .unwrap();
        let texts: Vec<String> = parsed.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["www.example.com", "2001:db8::1"]);
        assert_eq!(to_names(&parsed, None).unwrap().san_texts(), texts);
        let wildcard = parse_all(&written(&[("dns", "*.example.com")])).unwrap();
        assert_eq!(wildcard[0].authorized(), ("example.com", true));
    }

    #[test]
    fn what_is_no_name_is_told_by_name() {
        let problem = parse_all(&written(&[
            ("dns", "good.example"),
            ("dns", "bücher.example"),
            ("dns", "192.0.2.1"),
            ("ip", "a.example"),
            ("email", "a@b.example"),
        ]))
        .unwrap_err();
        let kinds: Vec<&str> = problem.subproblems.iter().map(|sub| sub.kind.name()).collect();
        let rejected = "rejectedIdentifier";
        assert_eq!(kinds, [rejected, rejected, rejected, "unsupportedIdentifier"]);
        assert_eq!(parse_all(&[]).unwrap_err().kind, ProblemType::Malformed);
        assert_eq!(
            parse_all(&vec![written(&[("dns", "a.example")])[0].clone(); 101]).unwrap_err().kind,
            ProblemType::Malformed
        );
    }
}
