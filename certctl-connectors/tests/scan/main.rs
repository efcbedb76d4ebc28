//! A search of real sockets: a crowd of servers on the loopback network, which only this policy allows to be searched. The bench
//! `scan` does the same with 65,536 addresses.

#![expect(clippy::disallowed_methods, reason = "the crowd listens on real sockets")]

mod endpoints;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use certctl_connectors::host::{self, HostConfig};
use certctl_core::discovery::{NetworkPlan, NetworkSearch, ScanPolicy, ScanRange};
use certctl_core::domain::Fingerprint;
use endpoints::{Crowd, Endpoints};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_found_beside_those_that_stall_and_those_that_never_end() {
    let crowd = Crowd { tls: 40, stalled: 12, plain: 6, endless: 6 };
    let ranges = ["127.77.0.0/25", "127.77.0.128/26", "127.77.1.7"];
    let addresses: Vec<Ipv4Addr> = (0..64).map(|number| Ipv4Addr::new(127, 77, 0, number * 3)).collect();
    let endpoints = Endpoints::open(crowd, &addresses).await.unwrap();
    let config: HostConfig = HostConfig {
        egress: serde_json::from_value(serde_json::json!({ "allow": ["127.0.0.0/8"] })).unwrap(),
        ..HostConfig::default()
    };
    let ports = host::ports(&config).unwrap();
    let ranges = ranges.iter().map(|text| ScanRange::parse(text, ScanPolicy::with_loopback()).unwrap()).collect();
    // Fewer hands than there are who stall: they would hold them all, if one had to be free for each.
    let plan = NetworkPlan { handshakes: 4, ..NetworkPlan::new(ranges, vec![endpoints.port], Duration::from_secs(3)) };
    assert_eq!(plan.endpoints(), 193);
    let mut search = NetworkSearch::new(&*ports.tls, &plan);
    let (mut found, mut causes, mut late) = (BTreeSet::new(), Vec::new(), 0);
    while let Some(seen) = search.next().await {
        let leaf = seen.findings.first();
        found.extend(leaf.map(|leaf| (leaf.source_path.clone(), leaf.fingerprint)));
        late += usize::from(leaf.is_some() && causes.iter().any(|cause: &String| cause.contains("within")));
        causes.extend(seen.problems);
    }
    let served: BTreeSet<(String, Fingerprint)> = endpoints.served.clone();
    assert_eq!(found, served);
    assert_eq!(late, 0, "somebody who speaks TLS waited for somebody who says nothing");
    let count = |what: &str| causes.iter().filter(|cause| cause.contains(what)).count();
    assert_eq!(causes.len(), crowd.stalled + crowd.plain + crowd.endless, "{causes:#?}");
    assert_eq!(count("does not speak TLS"), crowd.plain, "{causes:#?}");
    assert_eq!(count("do not end"), crowd.endless / 2, "{causes:#?}");
    assert_eq!(count("within 3s"), crowd.stalled + crowd.endless / 2, "{causes:#?}");
}

#[tokio::test]
async fn the_egress_guard_has_the_last_word() {
    let endpoints =
        Endpoints::open(Crowd { tls: 1, stalled: 0, plain: 0, endless: 0 }, &[Ipv4Addr::new(127, 78, 0, 1)])
            .await
            .unwrap();
    let ports = host::ports(&HostConfig::default()).unwrap();
    let range = ScanRange::parse("127.78.0.1", ScanPolicy::with_loopback()).unwrap();
    let plan = NetworkPlan::new(vec![range], vec![endpoints.port], Duration::from_secs(3));
    let seen = NetworkSearch::new(&*ports.tls, &plan).next().await.unwrap();
    assert!(seen.findings.is_empty() && seen.problems[0].contains("must not be called"), "{seen:?}");
}
