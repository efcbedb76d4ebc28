//! Certificates that are served: a TLS handshake with every address of some networks.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use super::finding;
use crate::domain::{Cidr, Finding, InvalidCidr};
use crate::pki;
use crate::ports::{AddressClass, Egress, Endpoint, Greeted, ProbeError, TlsObservation, TlsProbe, TlsProbeRequest};

/// A network, or one address, that is small enough to be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanRange(Cidr);

/// What cannot be searched, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidScanRange {
    /// It is no network and no address.
    #[error(transparent)]
    Cidr(#[from] InvalidCidr),
    /// It has too many addresses.
    #[error("`{0}` has more than {most} addresses; name parts of it, of at most /20 in IPv4 and /116 in IPv6", most = ScanRange::MOST)]
    TooLarge(Cidr),
    /// It has an address that no search may reach.
    #[error("`{range}` has {address}, which is {class} and is not searched; leave it out")]
    Reserved {
        /// As it was given.
        range: Cidr,
        /// The first such address.
        address: IpAddr,
        /// What it is for.
        class: AddressClass,
    },
}

/// Which addresses a search may reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanPolicy {
    is_loopback_allowed: bool,
}

impl ScanPolicy {
    /// What may be searched, and this host besides: for tests and benches, which have no other network. No configuration leads
    /// here.
    pub const fn with_loopback() -> Self {
        Self { is_loopback_allowed: true }
    }

    /// Whether a search may reach an address: public, private and documentation ranges, and nothing else (requirements B16).
    pub fn permits(self, address: IpAddr) -> bool {
        let class = AddressClass::of(address);
        class.permits(Egress::Configured) || (self.is_loopback_allowed && class == AddressClass::Loopback)
    }
}

impl ScanRange {
    /// The most addresses of one range: 12 bits behind the prefix.
    pub const MOST: u128 = 4_096;

    /// Reads a network in CIDR notation, or one address, all of whose addresses may be searched.
    ///
    /// # Errors
    /// [`InvalidScanRange`].
    pub fn parse(text: &str, policy: ScanPolicy) -> Result<Self, InvalidScanRange> {
        let cidr: Cidr = match IpAddr::from_str(text) {
            Ok(address) => Cidr::from(address.to_canonical()),
            Err(_) => text.parse()?,
        };
        if cidr.size() > Self::MOST {
            return Err(InvalidScanRange::TooLarge(cidr));
        }
        let refused = cidr.addresses().find(|address| !policy.permits(*address));
        if let Some(address) = refused {
            return Err(InvalidScanRange::Reserved { range: cidr, address, class: AddressClass::of(address) });
        }
        Ok(Self(cidr))
    }

    /// How many addresses it has.
    pub fn size(self) -> u128 {
        self.0.size()
    }
}

impl std::fmt::Display for ScanRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What is searched, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkPlan {
    /// Where: every address of these, the first and the last of each among them.
    pub ranges: Vec<ScanRange>,
    /// At which ports.
    pub ports: Vec<u16>,
    /// For a connection and the first answer, and again for the handshake.
    pub timeout: Duration,
    /// Connections at once, those that wait for an answer among them.
    pub connects: usize,
    /// Handshakes at once.
    pub handshakes: usize,
}

impl NetworkPlan {
    /// Connections at once: fewer than what a process may usually have open.
    pub const CONNECTS: usize = 512;
    /// Handshakes at once (requirements B16).
    pub const HANDSHAKES: usize = 50;

    /// A plan with the usual limits.
    pub fn new(ranges: Vec<ScanRange>, ports: Vec<u16>, timeout: Duration) -> Self {
        Self { ranges, ports, timeout, connects: Self::CONNECTS, handshakes: Self::HANDSHAKES }
    }

    /// How many endpoints it has.
    pub fn endpoints(&self) -> u128 {
        self.ranges.iter().map(|range| range.size()).sum::<u128>() * self.ports.len() as u128
    }
}

/// What an endpoint that somebody listens on came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where.
    pub endpoint: Endpoint,
    /// The certificates that it served, the leaf first.
    pub findings: Vec<Finding>,
    /// What went wrong, with the endpoint.
    pub problems: Vec<String>,
}

/// A search under way. Endpoints are made as they are needed, so a large network takes no more memory than a small one.
///
/// Whoever listens and is silent is waited for beside the others and holds up no handshake.
pub struct NetworkSearch<'a> {
    probe: &'a dyn TlsProbe,
    plan: &'a NetworkPlan,
    endpoints: Box<dyn Iterator<Item = Endpoint> + Send + 'a>,
    under_way: FuturesUnordered<BoxFuture<'a, Step<'a>>>,
    greeting: usize,
    shaking: usize,
    waiting: VecDeque<(Endpoint, Box<dyn Greeted + 'a>)>,
}

enum Step<'a> {
    Greeted(Endpoint, Result<Box<dyn Greeted + 'a>, ProbeError>),
    Shaken(Endpoint, Result<TlsObservation, ProbeError>),
}

impl std::fmt::Debug for NetworkSearch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetworkSearch").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl<'a> NetworkSearch<'a> {
    /// A search by this plan. The probe has an egress guard of its own, which may refuse more.
    pub fn new(probe: &'a dyn TlsProbe, plan: &'a NetworkPlan) -> Self {
        let addresses = plan.ranges.iter().flat_map(|range| range.0.addresses());
        let endpoint = |address: IpAddr, port: u16| Endpoint { host: address.to_string(), port };
        let endpoints = addresses.flat_map(move |address| plan.ports.iter().map(move |port| endpoint(address, *port)));
        Self {
            probe,
            plan,
            endpoints: Box::new(endpoints),
            under_way: FuturesUnordered::new(),
            greeting: 0,
            shaking: 0,
            waiting: VecDeque::new(),
        }
    }

    /// The next endpoint that somebody listens on; `None` at the end. Where nobody listens nothing is told.
    pub async fn next(&mut self) -> Option<Seen> {
        loop {
            self.fill();
            let seen = match self.under_way.next().await? {
                Step::Greeted(endpoint, Ok(greeted)) => {
                    self.greeting -= 1;
                    self.waiting.push_back((endpoint, greeted));
                    None
                }
                Step::Greeted(endpoint, Err(error)) => {
                    self.greeting -= 1;
                    failed(endpoint, &error)
                }
                Step::Shaken(endpoint, Ok(observed)) => {
                    self.shaking -= 1;
                    Some(served(endpoint, observed))
                }
                Step::Shaken(endpoint, Err(error)) => {
                    self.shaking -= 1;
                    failed(endpoint, &error)
                }
            };
            if seen.is_some() {
                return seen;
            }
        }
    }

    fn fill(&mut self) {
        while self.shaking < self.plan.handshakes.max(1)
            && let Some((endpoint, greeted)) = self.waiting.pop_front()
        {
            self.shaking += 1;
            self.under_way.push(Box::pin(async move { Step::Shaken(endpoint, greeted.finish().await) }));
        }
        let open = |search: &Self| search.greeting + search.waiting.len() + search.shaking;
        while open(self) < self.plan.connects.max(1)
            && let Some(endpoint) = self.endpoints.next()
        {
            self.greeting += 1;
            let (probe, timeout) = (self.probe, self.plan.timeout);
            self.under_way.push(Box::pin(async move {
                let request = TlsProbeRequest {
                    endpoint: endpoint.clone(),
                    server_name: None,
                    timeout,
                    egress: Egress::Configured,
                };
                Step::Greeted(endpoint, probe.greet(request).await)
            }));
        }
    }
}

/// Nobody listening is what most addresses are; everything else has a cause that somebody wants to know.
fn failed(endpoint: Endpoint, error: &ProbeError) -> Option<Seen> {
    match error {
        ProbeError::Unreachable { .. } => None,
        error => Some(Seen { endpoint, findings: Vec::new(), problems: vec![error.to_string()] }),
    }
}

fn served(endpoint: Endpoint, observed: TlsObservation) -> Seen {
    let place = endpoint.to_string();
    let (mut findings, mut problems) = (Vec::new(), Vec::new());
    for (index, der) in observed.chain.into_iter().enumerate() {
        match pki::certificate::parse(&der) {
            Ok(facts) => findings.push(finding(der, &facts, &place, NETWORK)),
            Err(error) => problems.push(format!("{place}: certificate {}: {error}", index + 1)),
        }
    }
    if findings.is_empty() && problems.is_empty() {
        problems.push(format!("{place}: it showed no certificate"));
    }
    Seen { endpoint, findings, problems }
}

/// How certificates are found here, as their records say it.
const NETWORK: &str = "network";

#[cfg(test)]
mod tests;
