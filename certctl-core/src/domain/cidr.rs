//! Networks in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3).

use std::fmt::{Display, Formatter};
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use crate::entity::{Cell, Kind, Value};

/// An IPv4 or IPv6 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr(IpNet);

/// A text that names no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCidr {
    /// Not an address, a slash and a length.
    #[error("`{0}` is no network; write it as an address, a slash and a length, such as 10.0.0.0/8 or 2001:db8::/32")]
    Form(String),
    /// The length is longer than the address.
    #[error("`{text}` has a prefix of {length} bits; at most {longest} are possible")]
    TooLong {
        /// As it was given.
        text: String,
        /// The length.
        length: u16,
        /// The longest.
        longest: u8,
    },
    /// Bits are set behind the prefix: it is an address in a network, or the prefix is wrong.
    #[error("`{text}` has bits behind its prefix; the network is {network}")]
    HostBits {
        /// As it was given.
        text: String,
        /// The network that the address lies in.
        network: Cidr,
    },
    /// An IPv4 network written as IPv6, which would match no agent.
    #[error("`{0}` is an IPv4 network in the form of IPv6; write it as IPv4, such as 10.0.0.0/8")]
    Mapped(String),
}

impl Cidr {
    /// Whether an address lies in the network. An IPv4 address in the form of IPv6 (RFC 4291 §2.5.5.2) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// How many addresses it has; one less than there are in `::/0`.
    pub fn size(&self) -> u128 {
        let behind = u32::from(self.0.max_prefix_len() - self.0.prefix_len());
        1_u128.checked_shl(behind).unwrap_or(u128::MAX)
    }

    /// Its first address, and its mask.
    pub(crate) fn parts(&self) -> (IpAddr, IpAddr) {
        (self.0.network(), self.0.netmask())
    }

    /// Its addresses in order, the first and the last among them.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + Send + use<> {
        let (v4, v6) = match self.0 {
            IpNet::V4(net) => (Some(ipnet::Ipv4AddrRange::new(net.network(), net.broadcast())), None),
            IpNet::V6(net) => (None, Some(ipnet::Ipv6AddrRange::new(net.network(), net.broadcast()))),
        };
        v4.into_iter().flatten().map(IpAddr::V4).chain(v6.into_iter().flatten().map(IpAddr::V6))
    }
}

impl From<IpAddr> for Cidr {
    /// The network of one address.
    fn from(address: IpAddr) -> Self {
        Self(IpNet::from(address))
    }
}

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let given = || text.chars().take(64).collect::<String>();
        let parts = text.split_once('/').and_then(|(address, length)| {
            // `parse` would take `+8` and `08`, which other programs read otherwise or not at all.
            let plain = length == "0" || (!length.starts_with('0') && length.bytes().all(|b| b.is_ascii_digit()));
            Some((address.parse::<IpAddr>().ok()?, length.parse::<u16>().ok().filter(|_| plain)?))
        });
        let (address, length) = parts.ok_or_else(|| InvalidCidr::Form(given()))?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let network = u8::try_from(length).ok().and_then(|length| IpNet::new(address, length).ok());
        let network = network.ok_or_else(|| InvalidCidr::TooLong { text: given(), length, longest })?;
        if address.to_canonical() != address {
            return Err(InvalidCidr::Mapped(given()));
        }
        if network.trunc() != network {
            return Err(InvalidCidr::HostBits { text: given(), network: Self(network.trunc()) });
        }
        Ok(Self(network))
    }
}

impl Display for Cidr {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Cidr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Cell for Cidr {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn from_value(value: Value) -> Option<Self> {
        value.as_text()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }
    fn within(network: &str, address: &str) -> bool {
        cidr(network).contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_contains_its_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.127"),
            ("192.0.2.7/32", "192.0.2.7", "192.0.2.8"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::2"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
        ] {
            assert!(within(network, inside), "{network} {inside}");
            assert!(!within(network, outside), "{network} {outside}");
        }
        assert!(within("0.0.0.0/0", "203.0.113.9") && !within("0.0.0.0/0", "2001:db8::1"));
        assert!(within("::/0", "2001:db8::1") && !within("::/0", "203.0.113.9"));
    }

    #[test]
    fn it_is_written_in_one_form_and_read_back() {
        assert_eq!(cidr("2001:DB8:0::/32").to_string(), "2001:db8::/32");
        assert_eq!(Cidr::from_value(cidr("10.0.0.0/8").to_value()), Some(cidr("10.0.0.0/8")));
        assert_eq!(Cidr::from_value(Value::Text("10.0.0.1".into())), None);
    }

    #[test]
    fn what_is_no_network_is_refused_with_what_would_be() {
        for bad in [
            "",
            "/",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0.0/-1",
            "10.0.0/8",
            "010.0.0.0/8",
            "10.0.0.0/8/8",
            " 10.0.0.0/8",
            "10.0.0.0/8 ",
            "host/8",
            "fe80::%1/64",
            "10.0.0.0/99999",
        ] {
            assert!(matches!(bad.parse::<Cidr>(), Err(InvalidCidr::Form(_))), "{bad}");
        }
        let refused = |text: &str| text.parse::<Cidr>().unwrap_err().to_string();
        assert!(refused("10.0.0.0/33").contains("at most 32"));
        assert!(refused("2001:db8::/129").contains("at most 128"));
        assert!(refused("10.1.2.3/8").contains("10.0.0.0/8"));
        assert!(refused("2001:db8::1/32").contains("2001:db8::/32"));
        assert!(refused("::ffff:10.0.0.0/104").contains("as IPv4"));
    }
}
