//! Name constraints (RFC 5280 §4.2.1.10).

use super::distinguished::ComparableName;
use super::node::Node;
use super::{MAX_COMPARISONS, PathFault};
use crate::domain::{Chain, NameConstraints, NameSubtrees};
use crate::pki::certificate::extension::name_constraints_value;
use crate::pki::general_name::{DIRECTORY_NAME, DNS_NAME, GeneralName, IP_ADDRESS, RFC822_NAME, URI};
use crate::pki::tlv::{self, Damage, Reader, Tlv};
use crate::pki::{PkiError, name};

/// What one CA allows below itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Subtrees<'a> {
    permitted: Vec<Base<'a>>,
    excluded: Vec<Base<'a>>,
}

/// The base of a subtree.
#[derive(Clone, Debug)]
enum Base<'a> {
    Dns(&'a str),
    Mail(&'a str),
    Uri(&'a str),
    Ip {
        address: &'a [u8],
        mask: &'a [u8],
    },
    Directory(ComparableName),
    /// Of a kind that is not compared, by its tag.
    Other(u8),
}

/// A name that is held against the subtrees.
#[derive(Clone, Copy)]
enum Held<'n> {
    Dns(&'n str),
    Mail(&'n str),
    Uri(&'n str),
    Ip(&'n [u8]),
    Directory(&'n ComparableName),
    Other(u8),
}

/// How a name stands to a subtree.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Within,
    Outside,
    /// The name is not one that can be in such a subtree or not, such as a URI without a host.
    Unclear,
}

/// Those of all CAs so far. A name must suit each of them, which is the intersection of what is permitted and the union of
/// what is excluded.
#[derive(Debug)]
pub(super) struct Constraints<'a> {
    sets: Vec<Subtrees<'a>>,
    /// Comparisons that may still be made.
    left: usize,
}

impl<'a> Subtrees<'a> {
    /// NameConstraints ::= SEQUENCE { permittedSubtrees \[0\], excludedSubtrees \[1\] }.
    pub(super) fn read(value: &'a [u8]) -> Result<Self, Damage> {
        let mut inner = Tlv::only(value)?.open(tlv::SEQUENCE, "NameConstraints")?;
        let permitted = inner.optional(0xa0)?.map_or(Ok(Vec::new()), |subtrees| bases(subtrees.contents))?;
        let excluded = inner.optional(0xa1)?.map_or(Ok(Vec::new()), |subtrees| bases(subtrees.contents))?;
        inner.finish()?;
        Ok(Self { permitted, excluded })
    }
}

fn bases(subtrees: &[u8]) -> Result<Vec<Base<'_>>, Damage> {
    Reader::new(subtrees).values().map(|subtree| base(subtree?)).collect()
}

/// GeneralSubtree ::= SEQUENCE { base, minimum \[0\] DEFAULT 0, maximum \[1\] OPTIONAL }: only the defaults are allowed.
fn base(subtree: Tlv<'_>) -> Result<Base<'_>, Damage> {
    let mut inner = subtree.open(tlv::SEQUENCE, "a GeneralSubtree")?;
    let base = inner.value()?;
    let minimum = inner.optional(0x80)?.map_or(&[0][..], |minimum| minimum.contents);
    if minimum != [0] || !inner.is_empty() {
        return Err(Damage::Expected("a GeneralSubtree with minimum 0 and without maximum"));
    }
    let text = || GeneralName(base).ia5().ok_or(Damage::Expected("an IA5String as the base of a subtree"));
    Ok(match base.tag {
        DNS_NAME => Base::Dns(text()?),
        RFC822_NAME => Base::Mail(text()?),
        URI => Base::Uri(text()?),
        IP_ADDRESS => {
            let (address, mask) = base.contents.split_at(base.contents.len() / 2);
            if !matches!(base.contents.len(), 8 | 32) || !is_prefix(mask) {
                return Err(Damage::Expected("an address and a mask of leading ones as the base of a subtree"));
            }
            Base::Ip { address, mask }
        }
        DIRECTORY_NAME => Base::Directory(ComparableName::read(base.contents)?),
        tag => Base::Other(tag),
    })
}

/// Ones, then zeros.
fn is_prefix(mask: &[u8]) -> bool {
    let mut rest = mask.iter().skip_while(|octet| **octet == 0xff);
    rest.next().is_none_or(|octet| octet.leading_ones() + octet.trailing_zeros() == 8) && rest.all(|octet| *octet == 0)
}

impl<'a> Constraints<'a> {
    pub(super) const fn none() -> Self {
        Self { sets: Vec::new(), left: MAX_COMPARISONS }
    }

    /// Takes up what one more CA says.
    pub(super) fn narrow(&mut self, subtrees: &Subtrees<'a>) {
        self.sets.push(subtrees.clone());
    }

    /// Holds every name of a certificate against what those above it say.
    pub(super) fn check(&mut self, node: &Node<'_>) -> Result<(), PathFault> {
        if self.sets.is_empty() {
            return Ok(());
        }
        if !node.subject.is_empty() {
            self.hold(Held::Directory(&node.subject), || name::to_text(node.subject_der))?;
        }
        for mail in &node.subject_mail {
            self.hold(Held::Mail(mail), || mail.clone())?;
        }
        // Clients of old take the common name of such a leaf for its DNS name.
        if node.names.is_none() && !node.is_ca {
            for common_name in node.common_names.iter().filter(|text| is_host(text)) {
                self.hold(Held::Dns(common_name), || common_name.clone())?;
            }
        }
        for name in node.names.iter().flatten() {
            self.check_name(*name)?;
        }
        Ok(())
    }

    fn check_name(&mut self, name: GeneralName<'_>) -> Result<(), PathFault> {
        let shown = || name.to_text();
        // What is no text is unclear wherever texts are compared.
        let text = name.ia5().unwrap_or("\u{fffd}");
        match name.0.tag {
            DNS_NAME => self.hold(Held::Dns(text), shown),
            RFC822_NAME => self.hold(Held::Mail(text), shown),
            URI => self.hold(Held::Uri(text), shown),
            IP_ADDRESS => self.hold(Held::Ip(name.0.contents), shown),
            DIRECTORY_NAME => match ComparableName::read(name.0.contents) {
                Ok(directory) => self.hold(Held::Directory(&directory), shown),
                Err(_) => Err(PathFault::NotComparable(shown())),
            },
            tag => self.hold(Held::Other(tag), shown),
        }
    }

    fn hold(&mut self, held: Held<'_>, shown: impl Fn() -> String) -> Result<(), PathFault> {
        for set in &self.sets {
            let cost = set.permitted.len() + set.excluded.len();
            self.left = self.left.checked_sub(cost).ok_or(PathFault::TooManyNames)?;
            for standing in set.excluded.iter().filter_map(|base| base.standing(held, Sense::Excluded)) {
                match standing {
                    Standing::Within => return Err(PathFault::Excluded(shown())),
                    Standing::Unclear => return Err(PathFault::NotComparable(shown())),
                    Standing::Outside => {}
                }
            }
            let mut permitted =
                set.permitted.iter().filter_map(|base| base.standing(held, Sense::Permitted)).peekable();
            if permitted.peek().is_none() {
                continue;
            }
            let (mut within, mut unclear) = (false, false);
            for standing in permitted {
                within |= standing == Standing::Within;
                unclear |= standing == Standing::Unclear;
            }
            match (within, unclear) {
                (true, _) => {}
                (false, true) => return Err(PathFault::NotComparable(shown())),
                (false, false) => return Err(PathFault::NotPermitted(shown())),
            }
        }
        Ok(())
    }
}

/// The first subtree that new constraints below a chain of CAs would permit although one of those does not; `None` when they only
/// narrow what is permitted. What they exclude is excluded besides, and what they say nothing about stays as it is.
///
/// # Errors
/// [`PkiError`] when a certificate of the chain cannot be read, or a constraint cannot be encoded.
pub fn not_narrower(authorities: &Chain, constraints: &NameConstraints) -> Result<Option<String>, PkiError> {
    let value = name_constraints_value(constraints)?;
    let new = Subtrees::read(&value).map_err(PkiError::malformed("name constraint"))?;
    for der in authorities.certificates() {
        let node = Node::read(der)?;
        let Some(above) = node.constraints else { continue };
        for base in &new.permitted {
            let mut of_its_kind = above.permitted.iter().filter_map(|above| above.has_below(base)).peekable();
            if of_its_kind.peek().is_some() && !of_its_kind.any(|is_below| is_below) {
                return Ok(Some(base.to_string()));
            }
        }
    }
    Ok(None)
}

/// The names that a CA certificate limits itself to, as far as operators write them: DNS names, networks, mailboxes and hosts of
/// URIs. Those of other kinds stand in the certificate alone.
///
/// # Errors
/// [`PkiError`] when it cannot be read.
pub fn limits_of(der: &[u8]) -> Result<NameConstraints, PkiError> {
    let Some(subtrees) = Node::read(der)?.constraints else { return Ok(NameConstraints::default()) };
    Ok(NameConstraints { permitted: written(&subtrees.permitted), excluded: written(&subtrees.excluded) })
}

fn written(bases: &[Base<'_>]) -> NameSubtrees {
    let mut subtrees = NameSubtrees::default();
    for base in bases {
        match base {
            Base::Dns(_) => subtrees.dns.push(base.to_string()),
            Base::Ip { .. } => subtrees.ip.push(base.to_string()),
            Base::Mail(_) => subtrees.email.push(base.to_string()),
            Base::Uri(_) => subtrees.uri.push(base.to_string()),
            Base::Directory(_) | Base::Other(_) => {}
        }
    }
    subtrees
}

/// A wildcard is permitted only as a whole, and excluded as soon as one of its names is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sense {
    Permitted,
    Excluded,
}

impl Base<'_> {
    /// `None` when this says nothing about names of that kind.
    fn standing(&self, held: Held<'_>, sense: Sense) -> Option<Standing> {
        let within = |within| if within { Standing::Within } else { Standing::Outside };
        Some(match (self, held) {
            (Base::Dns(base), Held::Dns(name)) if name.is_ascii() => within(dns_within(base, name, sense)),
            (Base::Mail(base), Held::Mail(name)) => mail_within(base, name).map_or(Standing::Unclear, within),
            (Base::Uri(base), Held::Uri(name)) => {
                uri_host(name).map_or(Standing::Unclear, |host| within(host_within(base, host)))
            }
            (Base::Ip { address, mask }, Held::Ip(name)) => {
                if !matches!(name.len(), 4 | 16) {
                    return Some(Standing::Unclear);
                }
                let octets = || name.iter().zip(*address).zip(*mask);
                within(name.len() == address.len() && octets().all(|((n, a), mask)| n & mask == a & mask))
            }
            (Base::Directory(base), Held::Directory(name)) => within(name.is_within(base)),
            (Base::Other(tag), Held::Other(name)) if *tag == name => Standing::Unclear,
            (Base::Dns(_), Held::Dns(_)) => Standing::Unclear,
            _ => return None,
        })
    }
}

impl Base<'_> {
    /// Whether everything in another subtree is in this one; `None` when they are of different kinds.
    fn has_below(&self, other: &Base<'_>) -> Option<bool> {
        Some(match (self, other) {
            (Base::Dns(this), Base::Dns(other)) => dns_within(this, other, Sense::Permitted),
            (Base::Mail(this), Base::Mail(other)) if other.contains('@') => mail_within(this, other) == Some(true),
            (Base::Mail(this), Base::Mail(other)) => !this.contains('@') && hosts_within(this, other),
            (Base::Uri(this), Base::Uri(other)) => hosts_within(this, other),
            (Base::Ip { address, mask }, Base::Ip { address: other, mask: narrower }) => {
                let octets = || address.iter().zip(*mask).zip(other.iter().zip(*narrower));
                address.len() == other.len() && octets().all(|((a, m), (b, n))| m & n == *m && a & m == b & m)
            }
            (Base::Directory(this), Base::Directory(other)) => other.is_within(this),
            _ => return None,
        })
    }
}

impl std::fmt::Display for Base<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Base::Dns(name) | Base::Mail(name) | Base::Uri(name) => f.write_str(name),
            Base::Ip { address, mask } => {
                let length: u32 = mask.iter().map(|octet| octet.leading_ones()).sum();
                match (<[u8; 4]>::try_from(*address), <[u8; 16]>::try_from(*address)) {
                    (Ok(v4), _) => write!(f, "{}/{length}", std::net::Ipv4Addr::from(v4)),
                    (_, Ok(v6)) => write!(f, "{}/{length}", std::net::Ipv6Addr::from(v6)),
                    _ => f.write_str("a network"),
                }
            }
            Base::Directory(_) => f.write_str("a directory name"),
            Base::Other(_) => f.write_str("a name of another kind"),
        }
    }
}

/// Whether every host that `other` stands for is one that `base` stands for.
fn hosts_within(base: &str, other: &str) -> bool {
    base.is_empty() || other.eq_ignore_ascii_case(base) || (base.starts_with('.') && ends_with(other, base))
}

/// `host` stands for itself and all below it; `.host`, as some write it, for those below it alone.
fn dns_within(base: &str, name: &str, sense: Sense) -> bool {
    let (base, name) = (base.strip_suffix('.').unwrap_or(base), name.strip_suffix('.').unwrap_or(name));
    if base.is_empty() || name.eq_ignore_ascii_case(base) {
        return true;
    }
    if base.starts_with('.') {
        return ends_with(name, base);
    }
    let below = name.len() > base.len() && ends_with(name, base) && {
        name.as_bytes().get(name.len() - base.len() - 1) == Some(&b'.')
    };
    let meets = || {
        let (Some(rest), Some((_, parent))) = (name.strip_prefix("*."), base.split_once('.')) else { return false };
        rest.eq_ignore_ascii_case(parent)
    };
    below || (sense == Sense::Excluded && meets())
}

/// `local@host` stands for one mailbox, `host` for those of a host, `.domain` for those of every host in it. `None` for what is
/// no mail address.
fn mail_within(base: &str, name: &str) -> Option<bool> {
    let (local, host) = name.rsplit_once('@').filter(|(local, host)| !local.is_empty() && !host.is_empty())?;
    Some(match base.rsplit_once('@') {
        // RFC 5280 §7.5: the local part by its octets, the host without regard to case.
        Some((base_local, base_host)) => local == base_local && host.eq_ignore_ascii_case(base_host),
        None => host_within(base, host),
    })
}

/// `host` stands for itself alone, `.domain` for every host in it.
fn host_within(base: &str, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    base.is_empty() || if base.starts_with('.') { ends_with(host, base) } else { host.eq_ignore_ascii_case(base) }
}

/// Without regard to case, and with something in front.
fn ends_with(name: &str, end: &str) -> bool {
    let start = name.len().checked_sub(end.len()).filter(|start| *start > 0);
    start.and_then(|start| name.get(start..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

/// The host of a URI; `None` when it has none or an address in its place, which no constraint can be held against (RFC 5280
/// §4.2.1.10).
fn uri_host(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        Some(_) => return None,
        None => host,
    };
    let is_name = is_host_text(host) && host.parse::<std::net::Ipv4Addr>().is_err();
    is_name.then_some(host)
}

/// Whether a common name may be taken for the name of a host.
fn is_host(text: &str) -> bool {
    text.contains('.') && is_host_text(text.strip_prefix("*.").unwrap_or(text))
}

fn is_host_text(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
    };
    text.strip_suffix('.').unwrap_or(text).split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_constraints_stand_for_all_names_below() {
        for (base, name, permitted, excluded) in [
            ("example.com", "example.com", true, true),
            ("example.com", "A.Example.COM", true, true),
            ("example.com.", "a.example.com", true, true),
            ("example.com", "a.example.com.", true, true),
            ("example.com", "badexample.com", false, false),
            ("example.com", "example.com.evil.org", false, false),
            ("", "anything.test", true, true),
            (".example.com", "a.example.com", true, true),
            (".example.com", "example.com", false, false),
            ("example.com", "*.example.com", true, true),
            ("a.example.com", "*.example.com", false, true),
            ("b.a.example.com", "*.example.com", false, false),
            ("com", "*.com", true, true),
        ] {
            assert_eq!(dns_within(base, name, Sense::Permitted), permitted, "{base} permits {name}");
            assert_eq!(dns_within(base, name, Sense::Excluded), excluded, "{base} excludes {name}");
        }
    }

    #[test]
    fn mail_constraints_are_of_a_mailbox_a_host_or_a_domain() {
        for (base, name, within) in [
            ("a@example.com", "a@EXAMPLE.com", Some(true)),
            ("a@example.com", "A@example.com", Some(false)),
            ("example.com", "a@example.com", Some(true)),
            ("example.com", "a@mail.example.com", Some(false)),
            (".example.com", "a@mail.example.com", Some(true)),
            (".example.com", "a@example.com", Some(false)),
            ("example.com", "\"x@evil.org\"@example.com", Some(true)),
            ("example.com", "no address", None),
            ("example.com", "@example.com", None),
        ] {
            assert_eq!(mail_within(base, name), within, "{base} {name}");
        }
    }

    #[test]
    fn uri_constraints_are_of_the_host() {
        for (uri, host) in [
            ("spiffe://example.com/ns/a", Some("example.com")),
            ("https://user@a.example.com:8443?x", Some("a.example.com")),
            ("https://a.example.com@evil.org/", Some("evil.org")),
            ("urn:uuid:1", None),
            ("https://192.0.2.1/", None),
            ("https://[2001:db8::1]/", None),
            ("https:///path", None),
            ("https://a.example.com:x/", None),
        ] {
            assert_eq!(uri_host(uri), host, "{uri}");
        }
        assert!(host_within("a.example.com", "A.example.com") && !host_within("example.com", "a.example.com"));
        assert!(host_within(".example.com", "a.b.example.com") && !host_within(".example.com", "example.com"));
    }

    #[test]
    fn masks_are_prefixes() {
        for (mask, fits) in [
            (&[255, 255, 0, 0][..], true),
            (&[255, 254, 0, 0], true),
            (&[0; 4], true),
            (&[255; 4], true),
            (&[255, 0, 255, 0], false),
            (&[1, 0, 0, 0], false),
        ] {
            assert_eq!(is_prefix(mask), fits, "{mask:?}");
        }
    }
}
