//! The names that a CA limits itself to, as operators write them (RFC 5280 §4.2.1.10).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Cidr;

/// Which names may and which must not stand in certificates below a CA.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameConstraints {
    /// Of each kind that is named here, only these.
    #[serde(default)]
    pub permitted: NameSubtrees,
    /// Not these.
    #[serde(default)]
    pub excluded: NameSubtrees,
}

/// Names of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameSubtrees {
    /// DNS names, each with all below it.
    #[serde(default)]
    pub dns: Vec<String>,
    /// Networks in CIDR notation.
    #[serde(default)]
    pub ip: Vec<String>,
    /// Mailboxes, hosts (`mail.example.com`), or all hosts of a domain (`.example.com`).
    #[serde(default)]
    pub email: Vec<String>,
    /// Hosts of URIs (`www.example.com`), or all hosts of a domain (`.example.com`).
    #[serde(default)]
    pub uri: Vec<String>,
}

/// A subtree that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidSubtree {
    /// JSON pointer from the constraints.
    pub pointer: String,
    /// What is wrong and how to mend it.
    pub message: String,
}

/// One subtree, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subtree {
    Dns(String),
    /// Network and mask, of 4 or 16 octets each.
    Ip(Vec<u8>),
    Email(String),
    Uri(String),
}

/// Reads one subtree; or says what is wrong.
type Parse = fn(&str) -> Result<Subtree, String>;

/// The most subtrees of one kind.
const MOST: usize = 100;

impl NameConstraints {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Checks every subtree.
    ///
    /// # Errors
    /// [`InvalidSubtree`] for the first that cannot be.
    pub fn check(&self) -> Result<(), InvalidSubtree> {
        self.parsed().map(|_| ())
    }

    /// Those that are permitted, and those that are excluded.
    pub(crate) fn parsed(&self) -> Result<(Vec<Subtree>, Vec<Subtree>), InvalidSubtree> {
        Ok((self.permitted.parsed("/permitted")?, self.excluded.parsed("/excluded")?))
    }
}

impl NameSubtrees {
    fn parsed(&self, pointer: &str) -> Result<Vec<Subtree>, InvalidSubtree> {
        let kinds: [(&str, &[String], Parse); 4] =
            [("dns", &self.dns, dns), ("ip", &self.ip, ip), ("email", &self.email, email), ("uri", &self.uri, uri)];
        let mut parsed = Vec::new();
        for (kind, texts, parse) in kinds {
            if texts.len() > MOST {
                let message = format!("{} are given; at most {MOST} of a kind are taken", texts.len());
                return Err(InvalidSubtree { pointer: format!("{pointer}/{kind}"), message });
            }
            for (index, text) in texts.iter().enumerate() {
                let invalid = |message| InvalidSubtree { pointer: format!("{pointer}/{kind}/{index}"), message };
                parsed.push(parse(text).map_err(invalid)?);
            }
        }
        Ok(parsed)
    }
}

fn dns(text: &str) -> Result<Subtree, String> {
    let message =
        || format!("`{text}` is no DNS name; write it as example.com, which stands for all names below it, too");
    host(text).map(Subtree::Dns).ok_or_else(message)
}

fn ip(text: &str) -> Result<Subtree, String> {
    let network: Cidr = text.parse().map_err(|error: super::InvalidCidr| error.to_string())?;
    Ok(Subtree::Ip(match network.parts() {
        (IpAddr::V4(address), IpAddr::V4(mask)) => [address.octets(), mask.octets()].concat(),
        (IpAddr::V6(address), IpAddr::V6(mask)) => [address.octets(), mask.octets()].concat(),
        _ => return Err(format!("`{text}` is no network")),
    }))
}

fn email(text: &str) -> Result<Subtree, String> {
    let message =
        || format!("`{text}` is no mailbox, host or domain; write it as a@example.com, example.com or .example.com");
    let parsed = match text.rsplit_once('@') {
        Some((local, domain)) => {
            let plain = !local.is_empty() && local.bytes().all(|octet| octet.is_ascii_graphic());
            host(domain).filter(|_| plain).map(|domain| format!("{local}@{domain}"))
        }
        None => host_or_domain(text),
    };
    parsed.map(Subtree::Email).ok_or_else(message)
}

fn uri(text: &str) -> Result<Subtree, String> {
    let message =
        || format!("`{text}` is no host or domain; write it as www.example.com or .example.com, without a scheme");
    host_or_domain(text).map(Subtree::Uri).ok_or_else(message)
}

fn host_or_domain(text: &str) -> Option<String> {
    match text.strip_prefix('.') {
        Some(domain) => host(domain).map(|domain| format!(".{domain}")),
        None => host(text),
    }
}

/// Labels of letters, digits and hyphens, in lower case; Unicode becomes its A-labels.
fn host(text: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii(text).ok()?;
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let fits = ascii.len() <= 253 && ascii.split('.').all(is_label) && ascii.parse::<IpAddr>().is_err();
    fits.then_some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtrees_are_read_as_they_are_meant() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let permitted = NameSubtrees {
            dns: texts(&["Example.COM", "bücher.example"]),
            ip: texts(&["10.0.0.0/8", "2001:db8::/32"]),
            email: texts(&["a@Example.com", "example.com", ".example.com"]),
            uri: texts(&["www.example.com", ".example.com"]),
        };
        let constraints = NameConstraints { permitted, excluded: NameSubtrees::default() };
        let (parsed, excluded) = constraints.parsed().unwrap();
        assert_eq!(parsed[..2], [Subtree::Dns("example.com".into()), Subtree::Dns("xn--bcher-kva.example".into())]);
        assert_eq!(parsed[2], Subtree::Ip(vec![10, 0, 0, 0, 255, 0, 0, 0]));
        assert_eq!(parsed[4], Subtree::Email("a@example.com".into()));
        assert_eq!(parsed[8], Subtree::Uri(".example.com".into()));
        assert!(excluded.is_empty() && !constraints.is_empty() && NameConstraints::default().is_empty());
    }

    #[test]
    fn what_is_no_subtree_is_told_with_its_place() {
        let wrong = |excluded: NameSubtrees| NameConstraints { excluded, ..Default::default() }.check().unwrap_err();
        for text in
            ["*.example.com", ".example.com", "", "a..b", "192.0.2.1", "a b", "-a.example", "https://example.com"]
        {
            let error = wrong(NameSubtrees { dns: vec!["good.example".into(), text.into()], ..Default::default() });
            assert_eq!(error.pointer, "/excluded/dns/1", "{text}");
        }
        for text in ["10.0.0.1/8", "10.0.0.0", "x"] {
            assert_eq!(wrong(NameSubtrees { ip: vec![text.into()], ..Default::default() }).pointer, "/excluded/ip/0");
        }
        for text in ["@example.com", "a@", "a b@example.com", "a@.example.com"] {
            assert_eq!(
                wrong(NameSubtrees { email: vec![text.into()], ..Default::default() }).pointer,
                "/excluded/email/0"
            );
        }
        assert_eq!(
            wrong(NameSubtrees { uri: vec!["https://a.example".into()], ..Default::default() }).pointer,
            "/excluded/uri/0"
        );
        let many = vec!["a.example".to_owned(); MOST + 1];
        assert_eq!(wrong(NameSubtrees { dns: many, ..Default::default() }).pointer, "/excluded/dns");
    }
}
