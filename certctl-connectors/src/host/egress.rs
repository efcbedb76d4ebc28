//! The egress guard: which addresses an outbound call may reach (requirements D6).
//!
//! A name is resolved once, every address it has is checked, and the call goes to the checked addresses and nowhere else,
//! so that a name that changes between check and call gains nothing.
//!
//! Names that strangers give may be looked up apart from those of this host: a hosts file or a search domain would then make of
//! them what their owners never published.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub use certctl_core::ports::AddressClass;
use certctl_core::ports::Egress;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::resolver;

/// What an operator allows beyond the rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressPolicy {
    /// Networks that may be called although the rule refuses them, such as `127.0.0.0/8`.
    #[serde(default)]
    pub allow: Vec<IpNet>,
    /// DNS servers that are asked for the addresses of names that somebody else gave ([`Egress::Untrusted`]); where there are none,
    /// this host looks them up as it does all names.
    #[serde(default)]
    pub resolver: Vec<SocketAddr>,
}

/// An address that must not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {class} and must not be called")]
pub struct EgressRefused {
    /// The address.
    pub address: IpAddr,
    /// Why.
    pub class: AddressClass,
}

/// No address to call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// At least one address of the name is refused. The others are not used either: somebody mixed them on purpose.
    #[error(transparent)]
    Refused(#[from] EgressRefused),
    /// The name has no address.
    #[error("cannot resolve {host}: {reason}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
}

/// Checks addresses against the rule and the operator's list. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    policy: Arc<EgressPolicy>,
}

impl Guard {
    /// A guard with that list.
    pub fn new(policy: EgressPolicy) -> Self {
        Self { policy: Arc::new(policy) }
    }

    /// Checks one address.
    ///
    /// # Errors
    /// [`EgressRefused`] with the class of the address.
    pub fn check(&self, address: IpAddr, egress: Egress) -> Result<(), EgressRefused> {
        let class = AddressClass::of(address);
        if class.permits(egress) || self.allows(address) { Ok(()) } else { Err(EgressRefused { address, class }) }
    }

    /// The addresses of a host, a name or an IP literal without brackets, all of them checked.
    ///
    /// # Errors
    /// [`GuardError`] when one address is refused or there is none.
    pub async fn resolve(&self, host: &str, port: u16, egress: Egress) -> Result<Vec<SocketAddr>, GuardError> {
        let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => self.look_up(host, port, egress).await?,
        };
        if addresses.is_empty() {
            return Err(GuardError::Resolve { host: host.to_owned(), reason: "the name has no address".to_owned() });
        }
        for address in &addresses {
            self.check(address.ip(), egress)?;
        }
        Ok(addresses)
    }

    async fn look_up(&self, host: &str, port: u16, egress: Egress) -> Result<Vec<SocketAddr>, GuardError> {
        let failed = |reason: String| GuardError::Resolve { host: host.to_owned(), reason };
        if egress == Egress::Untrusted && !self.policy.resolver.is_empty() {
            let found = resolver::addresses(host, &self.policy.resolver).await;
            let found = found.map_err(|error| failed(error.reason))?;
            return Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect());
        }
        let found = tokio::net::lookup_host((host, port)).await;
        Ok(found.map_err(|error| failed(error.to_string()))?.collect())
    }

    fn allows(&self, address: IpAddr) -> bool {
        let inner = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => AddressClass::embedded_v4(address).map(IpAddr::V4),
        };
        self.policy.allow.iter().any(|net| net.contains(&address) || inner.is_some_and(|inner| net.contains(&inner)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_named_the_address_decides_about_private_ranges() {
        let guard = Guard::default();
        let private = "10.0.0.1".parse().unwrap();
        assert!(guard.check(private, Egress::Configured).is_ok());
        assert!(guard.check(private, Egress::Untrusted).is_err());
        for always in ["127.0.0.1", "169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0"] {
            let address = always.parse().unwrap();
            assert!(guard.check(address, Egress::Configured).is_err(), "{always}");
            assert!(guard.check(address, Egress::Untrusted).is_err(), "{always}");
            assert!(guard.check(address, Egress::ControlPlane).is_ok(), "{always}");
        }
    }

    #[test]
    fn the_allow_list_opens_exactly_its_networks_in_every_form() {
        let allow = vec!["127.0.0.0/8".parse().unwrap()];
        let guard = Guard::new(EgressPolicy { allow, ..EgressPolicy::default() });
        assert!(guard.check("127.0.0.1".parse().unwrap(), Egress::Untrusted).is_ok());
        assert!(guard.check("::ffff:127.0.0.1".parse().unwrap(), Egress::Untrusted).is_ok());
        assert!(guard.check("::1".parse().unwrap(), Egress::Configured).is_err());
    }

    #[tokio::test]
    async fn a_literal_and_a_name_are_checked_alike() {
        let guard = Guard::default();
        for host in ["127.0.0.1", "localhost"] {
            let refused = guard.resolve(host, 443, Egress::Configured).await.unwrap_err();
            assert!(matches!(refused, GuardError::Refused(EgressRefused { class: AddressClass::Loopback, .. })));
        }
        let found = guard.resolve("127.0.0.1", 443, Egress::ControlPlane).await.unwrap();
        assert_eq!(found, ["127.0.0.1:443".parse().unwrap()]);
    }

    #[tokio::test]
    async fn names_of_strangers_are_looked_up_where_the_policy_says_and_checked_like_all() {
        let private = resolver::tests::server(resolver::tests::address([192, 168, 7, 1]), 0).await;
        let public = resolver::tests::server(resolver::tests::address([192, 88, 1, 7]), 0).await;
        let guard = |resolver| Guard::new(EgressPolicy { resolver: vec![resolver], ..EgressPolicy::default() });
        let found = guard(public).resolve("shop.example", 80, Egress::Untrusted).await.unwrap();
        assert_eq!(found, ["192.88.1.7:80".parse().unwrap()]);
        // Names that an operator wrote are names of this host.
        let found = guard(public).resolve("localhost", 80, Egress::ControlPlane).await.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
        let refused = guard(private).resolve("shop.example", 80, Egress::Untrusted).await.unwrap_err();
        assert!(
            matches!(refused, GuardError::Refused(EgressRefused { class: AddressClass::Private, .. })),
            "{refused}"
        );
        let absent = resolver::tests::server(Vec::new(), 3).await;
        let none = guard(absent).resolve("shop.example", 80, Egress::Untrusted).await.unwrap_err();
        assert!(matches!(none, GuardError::Resolve { .. }), "{none}");
    }
}
