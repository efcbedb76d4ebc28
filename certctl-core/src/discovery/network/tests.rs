//! Networks on paper.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::domain::{Timestamp, pem};
use crate::testing::{FakeTls, TestAuthority, block_on};

fn range(text: &str) -> Result<ScanRange, InvalidScanRange> {
    ScanRange::parse(text, ScanPolicy::default())
}

fn plan(ranges: &[&str], ports: &[u16]) -> NetworkPlan {
    let ranges = ranges.iter().map(|text| range(text).unwrap()).collect();
    NetworkPlan::new(ranges, ports.to_vec(), Duration::from_secs(5))
}

fn certificate() -> Vec<u8> {
    let authority = block_on(TestAuthority::new(5, Timestamp::from_unix_seconds(1_900_000_000)));
    pem::parse(&authority.root_pem(), 1 << 20).unwrap().remove(0).der
}

fn all(tls: &FakeTls, plan: &NetworkPlan) -> Vec<Seen> {
    let mut search = NetworkSearch::new(tls, plan);
    let mut seen = Vec::new();
    while let Some(next) = block_on(search.next()) {
        seen.push(next);
    }
    seen
}

#[test]
fn a_range_is_small_and_reaches_nothing_that_is_reserved() {
    for (good, size) in [
        ("10.0.0.0/20", 4_096),
        ("192.0.2.7", 1),
        ("192.0.2.6/31", 2),
        ("192.0.2.7/32", 1),
        ("2001:db8::/116", 4_096),
        ("8.8.8.8", 1),
    ] {
        assert_eq!(range(good).map(ScanRange::size), Ok(size), "{good}");
    }
    for large in ["10.0.0.0/19", "0.0.0.0/0", "2001:db8::/115", "::/0"] {
        assert!(matches!(range(large), Err(InvalidScanRange::TooLarge(_))), "{large}");
    }
    for reserved in [
        "127.0.0.1",
        "127.0.0.0/20",
        "169.254.0.0/24",
        "169.254.169.254",
        "224.0.0.0/24",
        "239.1.2.3",
        "0.0.0.0",
        "0.0.0.0/24",
        "255.255.255.255",
        "255.255.255.0/24",
        "100.100.100.200",
        "100.100.96.0/20",
        "::1",
        "::",
        "fe80::1",
        "fe80::/120",
        "ff02::1",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "64:ff9b::127.0.0.1",
    ] {
        assert!(matches!(range(reserved), Err(InvalidScanRange::Reserved { .. })), "{reserved}: {:?}", range(reserved));
    }
    for no_range in ["", "10.0.0.0/33", "10.0.0.1/24", "ten", "10.0.0.0-10.0.0.9", "10.0.0.0/+8", "10.0.0.0/08"] {
        assert!(matches!(range(no_range), Err(InvalidScanRange::Cidr(_))), "{no_range}");
    }
    assert!(ScanRange::parse("127.0.0.0/20", ScanPolicy::with_loopback()).is_ok());
    assert!(ScanRange::parse("169.254.169.254", ScanPolicy::with_loopback()).is_err());
}

#[test]
fn every_address_is_asked_at_every_port_the_first_and_the_last_too() {
    for (network, expected) in [("192.0.2.0/30", 4), ("192.0.2.2/31", 2), ("192.0.2.9/32", 1), ("2001:db8::/127", 2)] {
        let (tls, plan) = (FakeTls::new(), plan(&[network], &[443, 8443]));
        assert!(all(&tls, &plan).is_empty());
        let mut asked: Vec<String> = tls.calls().iter().map(|call| call.endpoint.to_string()).collect();
        asked.sort();
        asked.dedup();
        assert_eq!((asked.len(), plan.endpoints()), (expected * 2, expected as u128 * 2), "{network}");
    }
}

#[test]
fn what_is_served_is_found_and_what_is_no_tls_is_said() {
    let (tls, der) = (FakeTls::new(), certificate());
    tls.serve("192.0.2.1", 443, vec![der.clone(), der.clone(), b"no certificate".to_vec()]);
    tls.serve("192.0.2.2", 443, Vec::new());
    tls.handle(|request| {
        let endpoint = request.endpoint.clone();
        match endpoint.host.as_str() {
            "192.0.2.3" => Some(Err(ProbeError::Handshake { endpoint, reason: "it does not speak TLS".into() })),
            "192.0.2.4" => Some(Err(ProbeError::Timeout { endpoint, after: request.timeout })),
            "192.0.2.5" => Some(Err(ProbeError::Refused { endpoint, address: "192.0.2.5".into() })),
            _ => None,
        }
    });
    let seen = all(&tls, &plan(&["192.0.2.0/29"], &[443]));
    let of = |host: &str| seen.iter().find(|seen| seen.endpoint.host == host).unwrap();
    let served = of("192.0.2.1");
    assert_eq!((served.findings.len(), served.problems.len()), (2, 1));
    let found = &served.findings[0];
    assert_eq!((found.source_path.as_str(), found.source_format.as_str()), ("192.0.2.1:443", "network"));
    assert_eq!(found.certificate.as_deref(), Some(der.as_slice()));
    for host in ["192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"] {
        assert!(of(host).findings.is_empty() && of(host).problems[0].contains(host), "{:?}", of(host));
    }
    assert_eq!(seen.len(), 5, "an address that nobody listens on is no error");
}

/// Counts what is under way at once.
#[derive(Default)]
struct Counting {
    open: AtomicUsize,
    most_open: AtomicUsize,
    shaking: AtomicUsize,
    most_shaking: AtomicUsize,
}

/// Gives way to the others some times.
async fn wait(mut turns: u32) {
    std::future::poll_fn(move |cx| {
        if turns == 0 {
            return std::task::Poll::Ready(());
        }
        turns -= 1;
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

struct Answering(Arc<Counting>);

#[async_trait::async_trait]
impl Greeted for Answering {
    async fn finish(self: Box<Self>) -> Result<TlsObservation, ProbeError> {
        let now = self.0.shaking.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most_shaking.fetch_max(now, Ordering::SeqCst);
        wait(7).await;
        self.0.shaking.fetch_sub(1, Ordering::SeqCst);
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        Ok(TlsObservation { chain: Vec::new(), protocol: String::new(), cipher_suite: String::new() })
    }
}

#[async_trait::async_trait]
impl TlsProbe for Arc<Counting> {
    async fn probe(&self, _: &TlsProbeRequest) -> Result<TlsObservation, ProbeError> {
        unreachable!("a search greets first")
    }
    async fn greet(&self, _: TlsProbeRequest) -> Result<Box<dyn Greeted + '_>, ProbeError> {
        let now = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_open.fetch_max(now, Ordering::SeqCst);
        wait(3).await;
        Ok(Box::new(Answering(Arc::clone(self))))
    }
}

#[test]
fn no_more_is_open_and_no_more_hands_are_shaken_at_once_than_the_plan_says() {
    let counting = Arc::new(Counting::default());
    let plan = NetworkPlan { connects: 40, handshakes: 5, ..plan(&["10.0.0.0/22"], &[443]) };
    let mut search = NetworkSearch::new(&counting, &plan);
    let mut seen = 0;
    while block_on(search.next()).is_some() {
        seen += 1;
    }
    let most = |count: &AtomicUsize| count.load(Ordering::SeqCst);
    assert_eq!((seen, most(&counting.most_open), most(&counting.most_shaking)), (1_024, 40, 5));
}
