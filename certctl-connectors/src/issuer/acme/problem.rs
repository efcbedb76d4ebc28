//! What a CA says went wrong (RFC 8555 §6.7, RFC 9457), and what that means to a job.

use certctl_core::connector::{ConnectorError, ConnectorErrorKind};
use serde::Deserialize;

use super::wire::Identifier;

/// A problem document.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Problem {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) detail: String,
    /// Where people read more, such as new terms of service (RFC 8555 §7.3.3).
    #[serde(default)]
    pub(super) instance: Option<String>,
    /// One for each name that something is wrong with (RFC 8555 §6.7.1).
    #[serde(default)]
    pub(super) subproblems: Vec<Subproblem>,
}

/// What is wrong with one name.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Subproblem {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    identifier: Option<Identifier>,
}

/// The most that is repeated of what a CA says, in characters, and the most names.
const LONGEST: usize = 300;
const MOST_SUBPROBLEMS: usize = 10;

const URN: &str = "urn:ietf:params:acme:error:";

impl Problem {
    /// The name of the error (RFC 8555 §6.7), without what all of them begin with; the whole type where it is of somebody else.
    pub(super) fn name(&self) -> &str {
        self.kind.strip_prefix(URN).unwrap_or(&self.kind)
    }

    /// What it says, on one line.
    pub(super) fn text(&self) -> String {
        let mut text = said(self.name(), &self.detail);
        for sub in self.subproblems.iter().take(MOST_SUBPROBLEMS) {
            let about = sub.identifier.as_ref().map(|identifier| format!("{}: ", plain(&identifier.value)));
            let what = said(sub.kind.strip_prefix(URN).unwrap_or(&sub.kind), &sub.detail);
            text = format!("{text}; {}{what}", about.unwrap_or_default());
        }
        if let Some(instance) = self.instance.as_deref().filter(|instance| instance.starts_with("https://")) {
            text = format!("{text}; see {}", plain(instance));
        }
        text
    }

    /// What kind of failure an answer to a request is; `None` for a type that is not known.
    pub(super) fn answered(&self) -> Option<ConnectorErrorKind> {
        use ConnectorErrorKind::{Auth, Challenge, Lineage, Permanent, Policy, Quota, Transient};
        Some(match self.name() {
            "accountDoesNotExist" | "externalAccountRequired" | "unauthorized" | "userActionRequired" => Auth,
            "alreadyReplaced" => Lineage,
            "badCSR" | "badRevocationReason" | "caa" | "rejectedIdentifier" | "unsupportedIdentifier" => Policy,
            "badNonce" | "orderNotReady" | "serverInternal" => Transient,
            "badPublicKey"
            | "badSignatureAlgorithm"
            | "invalidContact"
            | "invalidProfile"
            | "malformed"
            | "unsupportedContact"
            | "alreadyRevoked" => Permanent,
            "connection" | "dns" | "incorrectResponse" | "tls" => Challenge,
            "compound" => self.worst(),
            "rateLimited" => Quota,
            _ => return None,
        })
    }

    /// What kind of failure it is where a challenge or an order ended with it: `unauthorized` is about names then, not about the
    /// account (RFC 8555 §7.1.6).
    pub(super) fn ended(&self) -> ConnectorErrorKind {
        match self.name() {
            "unauthorized" => ConnectorErrorKind::Challenge,
            "compound" => self.worst(),
            _ => self.answered().unwrap_or(ConnectorErrorKind::Challenge),
        }
    }

    /// One name that is never certified lets the whole order fail for good.
    fn worst(&self) -> ConnectorErrorKind {
        let kinds = self.subproblems.iter().map(|sub| {
            let alone = Self { kind: sub.kind.clone(), ..Self::default() };
            if alone.name() == "compound" { ConnectorErrorKind::Policy } else { alone.ended() }
        });
        kinds.reduce(|one, other| if one.is_retryable() { other } else { one }).unwrap_or(ConnectorErrorKind::Policy)
    }
}

/// A request was refused: by which name, and as an error.
#[derive(Debug)]
pub(super) struct Refused {
    /// The name of the problem; empty where there was no answer, or no problem in it.
    pub(super) name: String,
    /// The HTTP status; 0 where there was no answer.
    pub(super) status: u16,
    /// The error that it is unless the caller knows better.
    pub(super) error: ConnectorError,
}

impl Refused {
    /// Whether the CA does not know what was asked for.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.status, 404 | 410)
    }
}

impl From<ConnectorError> for Refused {
    fn from(error: ConnectorError) -> Self {
        Self { name: String::new(), status: 0, error }
    }
}

impl From<Refused> for ConnectorError {
    fn from(refused: Refused) -> Self {
        refused.error
    }
}

fn said(name: &str, detail: &str) -> String {
    match (plain(name), plain(detail)) {
        (name, detail) if detail.is_empty() => name,
        (name, detail) if name.is_empty() || name == "about:blank" => detail,
        (name, detail) => format!("{detail} ({name})"),
    }
}

/// Somebody else's text, short and on one line.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problem(name: &str) -> Problem {
        serde_json::from_value(json!({ "type": format!("{URN}{name}"), "detail": "no" })).unwrap()
    }

    #[test]
    fn every_type_of_rfc_8555_section_6_7_has_its_kind() {
        use ConnectorErrorKind::{Auth, Challenge, Lineage, Permanent, Policy, Quota, Transient};
        for (name, kind) in [
            ("accountDoesNotExist", Auth),
            ("alreadyRevoked", Permanent),
            ("badCSR", Policy),
            ("badNonce", Transient),
            ("badPublicKey", Permanent),
            ("badRevocationReason", Policy),
            ("badSignatureAlgorithm", Permanent),
            ("caa", Policy),
            ("compound", Policy),
            ("connection", Challenge),
            ("dns", Challenge),
            ("externalAccountRequired", Auth),
            ("incorrectResponse", Challenge),
            ("invalidContact", Permanent),
            ("malformed", Permanent),
            ("orderNotReady", Transient),
            ("rateLimited", Quota),
            ("rejectedIdentifier", Policy),
            ("serverInternal", Transient),
            ("tls", Challenge),
            ("unauthorized", Auth),
            ("unsupportedContact", Permanent),
            ("unsupportedIdentifier", Policy),
            ("userActionRequired", Auth),
            // RFC 9773 §7.4, draft-ietf-acme-profiles §6.
            ("alreadyReplaced", Lineage),
            ("invalidProfile", Permanent),
        ] {
            assert_eq!(problem(name).answered(), Some(kind), "{name}");
        }
        assert_eq!(problem("ofTheNextRfc").answered(), None);
        assert_eq!(problem("ofTheNextRfc").ended(), Challenge);
        assert_eq!(problem("unauthorized").ended(), Challenge);
        assert_eq!(problem("caa").ended(), Policy);
    }

    #[test]
    fn subproblems_name_what_they_are_about_and_the_worst_counts() {
        let document = json!({
            "type": "urn:ietf:params:acme:error:compound", "detail": "Some of the names\r\nfailed",
            "subproblems": [
                { "type": "urn:ietf:params:acme:error:dns", "detail": "no TXT record",
                  "identifier": { "type": "dns", "value": "a.example" } },
                { "type": "urn:ietf:params:acme:error:rejectedIdentifier", "detail": "on a list",
                  "identifier": { "type": "dns", "value": "b.example" } },
            ],
        });
        let problem: Problem = serde_json::from_value(document).unwrap();
        assert_eq!(
            problem.text(),
            "Some of the names  failed (compound); a.example: no TXT record (dns); b.example: on a list (rejectedIdentifier)"
        );
        assert_eq!(problem.ended(), ConnectorErrorKind::Policy);
    }

    #[test]
    fn what_a_ca_says_is_cut_short_and_its_links_are_shown() {
        let long = Problem { kind: format!("{URN}malformed"), detail: "x".repeat(10_000), ..Problem::default() };
        assert!(long.text().len() < 400);
        let terms = Problem { instance: Some("https://ca.example/terms".into()), ..problem("userActionRequired") };
        assert_eq!(terms.text(), "no (userActionRequired); see https://ca.example/terms");
        let odd = Problem { instance: Some("javascript:alert(1)".into()), ..problem("userActionRequired") };
        assert!(!odd.text().contains("alert"));
    }
}
