//! What addresses are for (requirements D6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Egress;

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressClass {
    /// Reachable on the Internet, as far as its form says.
    Public,
    /// Inside somebody's network: RFC 1918, RFC 4193, RFC 6598, site-local.
    Private,
    /// Set aside for documentation, benchmarks or the future.
    Reserved,
    /// This host.
    Loopback,
    /// This link: 169.254.0.0/16, `fe80::/10`.
    LinkLocal,
    /// A cloud's metadata service, which hands out credentials.
    Metadata,
    /// Many hosts: multicast and broadcast.
    Multicast,
    /// No host: 0.0.0.0/8, `::`.
    Unspecified,
}

impl AddressClass {
    /// The class of an address. Forms that carry an IPv4 address inside (mapped, compatible, 6to4, NAT64, Teredo) have the
    /// class of what they carry, because a gateway on the way unwraps them.
    pub fn of(address: IpAddr) -> Self {
        if METADATA.contains(&address) {
            return Self::Metadata;
        }
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    /// Whether a call of that kind may go there.
    pub fn permits(self, egress: Egress) -> bool {
        match egress {
            Egress::ControlPlane => true,
            Egress::Configured => matches!(self, Self::Public | Self::Private | Self::Reserved),
            Egress::Untrusted => matches!(self, Self::Public),
        }
    }

    /// The IPv4 address that an IPv6 address stands for, if any.
    pub fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
        let from = |high: u16, low: u16| {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Some(Ipv4Addr::new(a, b, c, d))
        };
        match address.segments() {
            // 6to4 (RFC 3056).
            [0x2002, high, low, ..]
            // IPv4-compatible (RFC 4291 §2.5.5.1), IPv4-mapped (§2.5.5.2), IPv4-translated (RFC 2765).
            | [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
            | [0, 0, 0, 0, 0xffff, 0, high, low]
            // NAT64: well-known prefix (RFC 6052) and local use (RFC 8215).
            | [0x0064, 0xff9b, 0, 0, 0, 0, high, low]
            | [0x0064, 0xff9b, 1, _, _, _, high, low] => from(high, low),
            // Teredo (RFC 4380) carries the client's address inverted.
            [0x2001, 0, _, _, _, _, high, low] => from(!high, !low),
            _ => None,
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        match address.octets() {
            [0, ..] => Self::Unspecified,
            [127, ..] => Self::Loopback,
            [169, 254, ..] => Self::LinkLocal,
            [224..=239, ..] | [255, 255, 255, 255] => Self::Multicast,
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Self::Private,
            [192, 0, 0 | 2, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] | [240..=255, ..] => {
                Self::Reserved
            }
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if address.is_unspecified() {
            return Self::Unspecified;
        }
        if address.is_loopback() {
            return Self::Loopback;
        }
        if let Some(inner) = Self::embedded_v4(address) {
            return Self::of(IpAddr::V4(inner));
        }
        match address.segments() {
            [0xff00..=0xffff, ..] => Self::Multicast,
            [0xfe80..=0xfebf, ..] => Self::LinkLocal,
            [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Self::Private,
            // Only 2000::/3 is given out; the documentation and discard prefixes lead nowhere.
            [0x2001, 0x0db8, ..] | [0x3fff, 0x0000..=0x0fff, ..] => Self::Reserved,
            [0x2000..=0x3fff, ..] => Self::Public,
            _ => Self::Reserved,
        }
    }
}

impl std::fmt::Display for AddressClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Reserved => "reserved",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Metadata => "cloud metadata",
            Self::Multicast => "multicast",
            Self::Unspecified => "unspecified",
        })
    }
}

/// Where clouds serve credentials to whoever asks: AWS, Azure, GCP and others; AWS over IPv6; Alibaba; Oracle.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn class(text: &str) -> AddressClass {
        AddressClass::of(text.parse().unwrap())
    }

    #[test]
    fn every_range_has_its_class() {
        use AddressClass::{LinkLocal, Loopback, Metadata, Multicast, Private, Public, Reserved, Unspecified};
        for (text, expected) in [
            ("8.8.8.8", Public),
            ("2606:4700::1111", Public),
            ("10.1.2.3", Private),
            ("172.16.0.1", Private),
            ("172.32.0.1", Public),
            ("192.168.9.9", Private),
            ("100.64.0.1", Private),
            ("100.128.0.1", Public),
            ("fd12::1", Private),
            ("fec0::1", Private),
            ("127.0.0.1", Loopback),
            ("127.255.0.1", Loopback),
            ("::1", Loopback),
            ("169.254.1.1", LinkLocal),
            ("fe80::1", LinkLocal),
            ("febf::1", LinkLocal),
            ("169.254.169.254", Metadata),
            ("fd00:ec2::254", Metadata),
            ("100.100.100.200", Metadata),
            ("224.0.0.1", Multicast),
            ("255.255.255.255", Multicast),
            ("ff02::1", Multicast),
            ("0.0.0.0", Unspecified),
            ("0.1.2.3", Unspecified),
            ("::", Unspecified),
            ("192.0.2.1", Reserved),
            ("240.0.0.1", Reserved),
            ("2001:db8::1", Reserved),
            ("100::1", Reserved),
        ] {
            assert_eq!(class(text), expected, "{text}");
        }
    }

    #[test]
    fn a_wrapped_address_has_the_class_of_what_it_carries() {
        for text in [
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "2002:7f00:0001::",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::127.0.0.1",
            "2001:0:4136:e378:8000:63bf:80ff:fffe",
        ] {
            assert_eq!(class(text), AddressClass::Loopback, "{text}");
        }
        assert_eq!(class("::ffff:169.254.169.254"), AddressClass::Metadata);
        assert_eq!(class("64:ff9b::a9fe:a9fe"), AddressClass::Metadata);
        assert_eq!(class("::ffff:8.8.8.8"), AddressClass::Public);
    }
}
