//! Whether a new version has the shape of the one before it, so that whoever relies on that one can rely on this one.
//!
//! A certificate that was issued correctly may still break what it is put on: a CA that drops clientAuth takes down every connection
//! on which the server is a client. So what differs is found before anything is deployed.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::{Chain, ShapeFinding, ShapeRule, ShapeSeverity, SubjectAltName};
use crate::pki::{PkiError, certificate};

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Extended key usages as dotted object identifiers; empty for any.
    purposes: BTreeSet<String>,
    /// The bits of keyUsage, `None` for any.
    key_usage: Option<u16>,
    names: BTreeSet<SubjectAltName>,
    /// The name of the root and, where it is told, the identifier of its key.
    root: (String, Option<Vec<u8>>),
    /// The family and the size of the key.
    key: (String, u16),
    lifetime: Duration,
}

/// A new version and the one before it.
#[derive(Clone, Copy, Debug)]
pub struct ShapeInput<'a> {
    /// The version before.
    pub before: &'a Shape,
    /// The new one.
    pub after: &'a Shape,
    /// Whether it goes to a target that shows it as a client.
    pub shown_as_client: bool,
}

impl Shape {
    /// That of a chain, leaf first, with or without its root.
    ///
    /// # Errors
    /// [`PkiError`] for certificates that cannot be read.
    pub fn of(chain: &Chain) -> Result<Self, PkiError> {
        let leaf = certificate::parse(chain.leaf())?;
        let top = match chain.certificates() {
            [_, .., top] => certificate::parse(top)?,
            _ => leaf.clone(),
        };
        let root_key = if top.is_self_issued { top.subject_key_id } else { top.authority_key_id };
        let key = match leaf.key_algorithm {
            Some(algorithm) => (algorithm.family().name().to_owned(), algorithm.bits()),
            None => (leaf.key_algorithm_text, 0),
        };
        Ok(Self {
            purposes: leaf.extended_key_usages.into_iter().collect(),
            key_usage: leaf.key_usage,
            names: leaf.names.sans,
            root: (top.issuer, root_key),
            key,
            lifetime: leaf.not_after.since(leaf.not_before),
        })
    }

    /// Whether it may be used for this (RFC 5280 §4.2.1.12).
    fn is_for(&self, purpose: &str) -> bool {
        self.purposes.is_empty() || self.purposes.contains(purpose) || self.purposes.contains(ANY)
    }
}

const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
/// anyExtendedKeyUsage.
const ANY: &str = "2.5.29.37.0";
/// The names of the bits of keyUsage, from the highest (RFC 5280 §4.2.1.3).
const KEY_USAGES: [&str; 9] = [
    "digitalSignature",
    "contentCommitment",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

type Rule = fn(&ShapeInput<'_>) -> Option<ShapeFinding>;

/// What is looked at, the gravest first.
const RULES: &[Rule] = &[client_auth, server_auth, key_usage, root, names, usages, key, lifetime];

/// In what the new version differs so that somebody should know.
pub fn decide(input: &ShapeInput<'_>) -> Vec<ShapeFinding> {
    RULES.iter().filter_map(|rule| rule(input)).collect()
}

/// Whether one of these keeps the version from being deployed.
pub fn blocks(findings: &[ShapeFinding]) -> bool {
    findings.iter().any(|finding| finding.severity == ShapeSeverity::Block)
}

#[expect(clippy::unnecessary_wraps, reason = "every rule ends with it")]
fn finding(rule: ShapeRule, severity: ShapeSeverity, detail: impl Into<String>) -> Option<ShapeFinding> {
    Some(ShapeFinding { rule, severity, detail: detail.into() })
}

fn client_auth(input: &ShapeInput<'_>) -> Option<ShapeFinding> {
    if !input.before.is_for(CLIENT_AUTH) || input.after.is_for(CLIENT_AUTH) {
        return None;
    }
    let (severity, detail) = if input.shown_as_client {
        (
            ShapeSeverity::Block,
            "clientAuth is gone, and a target shows the certificate as a client: servers will refuse it",
        )
    } else {
        (ShapeSeverity::Warn, "clientAuth is gone: nothing can show the certificate as a client any more")
    };
    finding(ShapeRule::ClientAuthLost, severity, detail)
}

fn server_auth(input: &ShapeInput<'_>) -> Option<ShapeFinding> {
    if !input.before.is_for(SERVER_AUTH) || input.after.is_for(SERVER_AUTH) {
        return None;
    }
    let detail = "serverAuth is gone: clients will refuse the server";
    finding(ShapeRule::ServerAuthLost, ShapeSeverity::Block, detail)
}

/// keyEncipherment goes with RSA keys, which is told where the key changes.
fn key_usage(input: &ShapeInput<'_>) -> Option<ShapeFinding> {
    let lost = input.before.key_usage? & !input.after.key_usage?;
    let lost: Vec<&str> =
        (0_u16..).zip(KEY_USAGES).filter(|(bit, _)| lost & (0x8000 >> bit) != 0).map(|(_, name)| name).collect();
    if lost.is_empty() || (lost == ["keyEncipherment"] && input.before.key.0 != input.after.key.0) {
        return None;
    }
    let grave = lost.contains(&"digitalSignature");
    let severity = if grave { ShapeSeverity::Block } else { ShapeSeverity::Warn };
    finding(ShapeRule::KeyUsageLost, severity, format!("gone from keyUsage: {}", lost.join(", ")))
}

fn root(input: &ShapeInput<'_>) -> Option<ShapeFinding> {
    let (before, after) = (&input.before.root, &input.after.root);
    let same_key = before.1.is_none() || after.1.is_none() || before.1 == after.1;
    if before.0 == after.0 && same_key {
        return None;
    }
    let detail = if before.0 == after.0 {
        format!("the root `{}` has another key: who trusts the old one only will refuse it", after.0)
    } else {
        format!("it chains to `{}` instead of `{}`: who trusts the old root only will refuse it", after.0, before.0)
    };
    finding(ShapeRule::RootChanged, ShapeSeverity::Warn, detail)
}

fn names(input: &ShapeInput<'_>) -> Option<ShapeFinding> {
    let texts = |of: &BTreeSet<SubjectAltName>, without: &BTreeSet<SubjectAltName>| {
        of.difference(without).map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let gone = texts(&input.before.names, &input.after.names);
    let new = texts(&input.after.names, &input.before.names);
    let detail = match (gone.is_empty(), new.is_empty()) {
        (true, true) => return None,
        (false, true) => format!("gone: {gone}"),
        (true, false) => format!("new: {new}"),
        (false, false) => format!("gone: {gone}; new: {new}"),
    };
    finding(ShapeRule::NamesChanged, ShapeSeverity::Warn, detail)
}

fn usages(input: &ShapeInput<'_>) -> Option<ShapeFinding> {
    let others = |of: &Shape| -> BTreeSet<String> {
        of.purposes.iter().filter(|oid| ![SERVER_AUTH, CLIENT_AUTH].contains(&oid.as_str())).cloned().collect()
    };
    let (before, after) = (others(input.before), others(input.after));
    let list = |oids: &BTreeSet<String>| {
        if oids.is_empty() { "none".to_owned() } else { oids.iter().cloned().collect::<Vec<_>>().join(", ") }
    };
    if before == after {
        return None;
    }
    let detail = format!("other extended key usages are {} instead of {}", list(&after), list(&before));
    finding(ShapeRule::UsagesChanged, ShapeSeverity::Warn, detail)
}

fn key(input: &ShapeInput<'_>) -> Option<ShapeFinding> {
    let ((family, bits), (new_family, new_bits)) = (&input.before.key, &input.after.key);
    if family == new_family && new_bits >= bits {
        return None;
    }
    let detail = format!("the key is {new_family} with {new_bits} bits instead of {family} with {bits}");
    finding(ShapeRule::KeyChanged, ShapeSeverity::Warn, detail)
}

fn lifetime(input: &ShapeInput<'_>) -> Option<ShapeFinding> {
    let (before, after) = (input.before.lifetime, input.after.lifetime);
    if after >= before / 2 && after <= before.saturating_mul(2) {
        return None;
    }
    let hours = |lifetime: Duration| lifetime.as_secs() / 3_600;
    let detail = format!("it is valid for {} hours instead of {}", hours(after), hours(before));
    finding(ShapeRule::LifetimeChanged, ShapeSeverity::Warn, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape {
            purposes: [SERVER_AUTH, CLIENT_AUTH].map(ToOwned::to_owned).into(),
            key_usage: Some(0xa000),
            names: BTreeSet::from(["a.example.com".parse().unwrap(), "b.example.com".parse().unwrap()]),
            root: ("CN=Root".into(), Some(vec![1])),
            key: ("RSA".into(), 2048),
            lifetime: Duration::from_hours(24 * 90),
        }
    }

    fn found(after: &Shape, shown_as_client: bool) -> Vec<(ShapeRule, ShapeSeverity)> {
        let findings = decide(&ShapeInput { before: &shape(), after, shown_as_client });
        findings.into_iter().map(|finding| (finding.rule, finding.severity)).collect()
    }

    #[test]
    fn the_same_shape_is_no_finding() {
        assert!(found(&shape(), true).is_empty());
        let longer = Shape { lifetime: Duration::from_hours(24 * 100), key: ("RSA".into(), 4096), ..shape() };
        assert!(found(&longer, true).is_empty());
        // A chain that does not tell the key of its root.
        assert!(found(&Shape { root: ("CN=Root".into(), None), ..shape() }, true).is_empty());
    }

    #[test]
    fn a_lost_client_auth_blocks_where_the_certificate_is_a_clients() {
        let server = Shape { purposes: [SERVER_AUTH.to_owned()].into(), ..shape() };
        assert_eq!(found(&server, true), [(ShapeRule::ClientAuthLost, ShapeSeverity::Block)]);
        assert_eq!(found(&server, false), [(ShapeRule::ClientAuthLost, ShapeSeverity::Warn)]);
        let any = Shape { purposes: [ANY.to_owned()].into(), ..shape() };
        assert_eq!(found(&any, true), [(ShapeRule::UsagesChanged, ShapeSeverity::Warn)]);
        assert!(found(&Shape { purposes: BTreeSet::new(), ..shape() }, true).is_empty(), "no extension is any usage");
    }

    #[test]
    fn every_other_difference_is_found_and_only_it() {
        let block = ShapeSeverity::Block;
        let warn = ShapeSeverity::Warn;
        for (after, rule, severity) in [
            (Shape { purposes: [CLIENT_AUTH.to_owned()].into(), ..shape() }, ShapeRule::ServerAuthLost, block),
            (Shape { key_usage: Some(0x2000), ..shape() }, ShapeRule::KeyUsageLost, block),
            (Shape { key_usage: Some(0x8000), ..shape() }, ShapeRule::KeyUsageLost, warn),
            (Shape { root: ("CN=Other".into(), Some(vec![1])), ..shape() }, ShapeRule::RootChanged, warn),
            (Shape { root: ("CN=Root".into(), Some(vec![2])), ..shape() }, ShapeRule::RootChanged, warn),
            (
                Shape { names: BTreeSet::from(["a.example.com".parse().unwrap()]), ..shape() },
                ShapeRule::NamesChanged,
                warn,
            ),
            (Shape { key: ("ECDSA".into(), 256), key_usage: Some(0x8000), ..shape() }, ShapeRule::KeyChanged, warn),
            (Shape { key: ("RSA".into(), 1024), ..shape() }, ShapeRule::KeyChanged, warn),
            (Shape { lifetime: Duration::from_hours(24 * 6), ..shape() }, ShapeRule::LifetimeChanged, warn),
            (Shape { lifetime: Duration::from_hours(24 * 400), ..shape() }, ShapeRule::LifetimeChanged, warn),
        ] {
            assert_eq!(found(&after, true), [(rule, severity)], "{after:?}");
        }
    }
}
