//! Subject alternative names by kind: DNS name, e-mail address, IP address, URI (RFC 5280 §4.2.1.6).

use std::net::IpAddr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::name::{NameError, shortened};

/// A DNS name in lower-case A-labels, possibly with `*` as its whole first label (RFC 5280 §4.2.1.6, RFC 9525 §6.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(String);

impl DnsName {
    /// Reads a name; Unicode labels become A-labels (UTS #46, RFC 5891), upper case becomes lower.
    ///
    /// # Errors
    /// [`NameError::Dns`] when it is no host name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refused = |why| Err(NameError::Dns { text: shortened(text), why });
        if text.is_empty() {
            return refused("it is empty");
        }
        // UTS #46 is super-linear in the label's length; no U-label that fits in 63 octets of A-label needs more.
        if text.len() > 1024 {
            return refused("it is longer than 253 characters");
        }
        if text.ends_with('.') {
            return refused("write it without the dot at the end");
        }
        let (wildcard, host) = text.strip_prefix("*.").map_or((false, text), |host| (true, host));
        if host.contains('*') {
            return refused("`*` can only be the whole first label, as in `*.example.com`");
        }
        if host.contains('_') {
            return refused("`_` is not allowed in host names (RFC 5280 section 4.2.1.6); use `-`");
        }
        let deny = AsciiDenyList::STD3;
        let Ok(ascii) = Uts46::new().to_ascii(host.as_bytes(), deny, Hyphens::CheckFirstLast, DnsLength::Verify) else {
            return refused("use labels of letters, digits and `-`, each up to 63 characters, joined by dots");
        };
        if ascii.rsplit('.').next().is_some_and(|last| last.bytes().all(|c| c.is_ascii_digit())) {
            return refused("its last label is a number; write an IP address in full");
        }
        let name = if wildcard { format!("*.{ascii}") } else { ascii.into_owned() };
        if name.len() > 253 {
            return refused("it is longer than 253 characters");
        }
        Ok(Self(name))
    }

    /// The name in A-labels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its first label is `*`.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// Whether it has only one label, as `localhost`.
    pub(super) fn is_single_label(&self) -> bool {
        !self.0.contains('.')
    }
}

/// An e-mail address: an ASCII local part and a DNS name (RFC 5280 §4.2.1.6 rfc822Name, RFC 5321 §4.1.2 Dot-string).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Reads an address; the part after `@` becomes a DNS name in A-labels, the part before it keeps its case.
    ///
    /// # Errors
    /// [`NameError::Email`] when it is no such address.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refused = |why| Err(NameError::Email { text: shortened(text), why });
        let Some((local, domain)) = text.rsplit_once('@') else { return refused("it has no `@`") };
        let atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        if local.is_empty() || local.len() > 64 {
            return refused("the part before `@` has 1 to 64 characters");
        }
        if !local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(atext)) {
            return refused("the part before `@` is ASCII letters, digits and `.!#$%&'*+-/=?^_`{|}~`");
        }
        match DnsName::parse(domain) {
            Ok(domain) if !domain.is_wildcard() => Ok(Self(format!("{local}@{}", domain.as_str()))),
            _ => refused("the part after `@` must be a DNS name"),
        }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An absolute URI as a SAN (RFC 5280 §4.2.1.6): `https://…`, `spiffe://…`, `urn:…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SanUri(String);

impl SanUri {
    /// Reads a URI. The scheme and, where there is an authority, the host become lower case; the rest is kept octet for
    /// octet, because relying parties compare it so (SPIFFE ID §2).
    ///
    /// # Errors
    /// [`NameError::Uri`] when it is relative, not ASCII, too long, or its authority is no host.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refused = |why| Err(NameError::Uri { text: shortened(text), why });
        if text.len() > 2048 {
            return refused("it is longer than 2048 characters");
        }
        if !text.bytes().all(|c| c.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&c)) {
            return refused("only ASCII without spaces may stand in it; percent-encode the rest");
        }
        let Some((scheme, rest)) = text.split_once(':') else { return refused("it has no scheme such as `spiffe:`") };
        let mut letters = scheme.chars();
        let first_is_letter = letters.next().is_some_and(|c| c.is_ascii_alphabetic());
        if !first_is_letter || !letters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) {
            return refused("the part before `:` is not a scheme");
        }
        let scheme = scheme.to_ascii_lowercase();
        let Some(hierarchy) = rest.strip_prefix("//") else {
            if rest.is_empty() {
                return refused("nothing follows the scheme");
            }
            return Ok(Self(format!("{scheme}:{rest}")));
        };
        let end = hierarchy.find(['/', '?', '#']).unwrap_or(hierarchy.len());
        let (authority, path) = hierarchy.split_at(end);
        if authority.is_empty() {
            return refused("no host follows `//`");
        }
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let host = host.to_ascii_lowercase();
        Ok(Self(match user {
            Some(user) => format!("{scheme}://{user}@{host}{path}"),
            None => format!("{scheme}://{host}{path}"),
        }))
    }

    /// The URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its scheme, in lower case.
    pub fn scheme(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }
}

/// One subject alternative name (RFC 5280 §4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectAltName {
    /// A dNSName.
    Dns(DnsName),
    /// An rfc822Name.
    Email(EmailAddress),
    /// An iPAddress.
    Ip(IpAddr),
    /// A uniformResourceIdentifier.
    Uri(SanUri),
}

impl SubjectAltName {
    /// Reads a name by its look: an absolute URI, else `@` makes an e-mail address, else an IP literal (also in `[…]`),
    /// else a DNS name.
    ///
    /// # Errors
    /// [`NameError`] of the kind that the text looks like.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let scheme = text.split(':').next().unwrap_or_default();
        // A URI with user information holds an `@` too, so URIs are told first; no e-mail address holds `://`.
        if text.contains("://")
            || ["spiffe", "urn"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) && text.contains(':')
        {
            return SanUri::parse(text).map(Self::Uri);
        }
        if text.contains('@') {
            return EmailAddress::parse(text).map(Self::Email);
        }
        let unbracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = unbracketed.parse::<IpAddr>() {
            return Ok(Self::Ip(address));
        }
        DnsName::parse(text).map(Self::Dns)
    }

    /// The name of its kind, as RFC 5280 §4.2.1.6 spells it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dNSName",
            Self::Email(_) => "rfc822Name",
            Self::Ip(_) => "iPAddress",
            Self::Uri(_) => "uniformResourceIdentifier",
        }
    }
}

impl std::fmt::Display for SubjectAltName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name.as_str()),
            Self::Email(address) => f.write_str(address.as_str()),
            Self::Ip(address) => address.fmt(f),
            Self::Uri(uri) => f.write_str(uri.as_str()),
        }
    }
}

impl std::str::FromStr for SubjectAltName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

macro_rules! serde_as_text {
    ($($name:ty),*) => { $(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    )* };
}

macro_rules! display_as_str {
    ($($name:ty),*) => { $(
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) }
        }
    )* };
}

display_as_str!(DnsName, EmailAddress, SanUri);
serde_as_text!(DnsName, EmailAddress, SanUri, SubjectAltName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_san_is_told_by_its_look() {
        for (text, kind, canonical) in [
            ("WWW.Example.COM", "dNSName", "www.example.com"),
            ("*.example.com", "dNSName", "*.example.com"),
            ("bücher.example", "dNSName", "xn--bcher-kva.example"),
            ("*.Bücher.example", "dNSName", "*.xn--bcher-kva.example"),
            ("localhost", "dNSName", "localhost"),
            ("192.0.2.7", "iPAddress", "192.0.2.7"),
            ("2001:DB8::7", "iPAddress", "2001:db8::7"),
            ("[2001:db8::7]", "iPAddress", "2001:db8::7"),
            ("Ops@Example.test", "rfc822Name", "Ops@example.test"),
            ("spiffe://Example.test/ns/A", "uniformResourceIdentifier", "spiffe://example.test/ns/A"),
            ("https://user@Example.test/a", "uniformResourceIdentifier", "https://user@example.test/a"),
            ("urn:uuid:F81D", "uniformResourceIdentifier", "urn:uuid:F81D"),
        ] {
            let san = SubjectAltName::parse(text).unwrap();
            assert_eq!((san.kind(), san.to_string().as_str()), (kind, canonical), "{text}");
            assert_eq!(SubjectAltName::parse(&san.to_string()), Ok(san), "{text}: a second reading changes nothing");
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_its_text() {
        let long = "a".repeat(64);
        for bad in [
            "",
            "a b.example",
            "*",
            "a.*.example",
            "f*.example",
            "**.example",
            "-a.example",
            "a..example",
            "example.com.",
            "a_b.example",
            "1.2.3",
            "256.1.1.1",
            long.as_str(),
            "a@",
            "@b.example",
            "a b@c.example",
            "a@*.example",
            "spiffe:",
            "https://",
            "1http://x",
            "http://exa mple",
            "xn--a.example",
        ] {
            let error = SubjectAltName::parse(bad).expect_err(bad).to_string();
            assert!(error.contains(&format!("`{bad}`")), "{error}");
        }
        let bomb = format!("{}.example", "ä".repeat(50_000));
        assert!(SubjectAltName::parse(&bomb).is_err());
    }
}
