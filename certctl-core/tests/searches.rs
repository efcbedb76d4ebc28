//! Searches of networks by the loops: when they are due, by one server at a time, and what becomes of one that ends early.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::Engine;
use certctl_core::domain::{DiscoveredCertificate, DiscoveryScan, NetworkScanTarget, Principal, SCHEMAS};
use certctl_core::engine::SetupSecret;
use certctl_core::entity::Record;
use certctl_core::ops::{discovery, network_scan};
use certctl_core::ports::{Ports, ProbeError, TlsObservation, TlsProbe, TlsProbeRequest};
use certctl_core::seal::SealingKey;
use certctl_core::signal::Signal;
use certctl_core::storage::{MemoryStorage, Storage};
use certctl_core::testing::{FakePorts, FakeTls, block_on};

const HOUR: Duration = Duration::from_secs(3_600);

fn me() -> Principal {
    Principal::embedder("test")
}

/// A probe that gives no answer before it is let go.
struct Gate {
    tls: FakeTls,
    open: Signal,
    is_open: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl TlsProbe for Gate {
    async fn probe(&self, request: &TlsProbeRequest) -> Result<TlsObservation, ProbeError> {
        loop {
            let open = self.open.listen();
            if self.is_open.load(std::sync::atomic::Ordering::SeqCst) {
                return self.tls.probe(request).await;
            }
            open.await;
        }
    }
}

/// Two servers over one store, and what they find.
struct Servers {
    fakes: FakePorts,
    gate: Arc<Gate>,
    engines: Vec<Engine>,
}

async fn servers(is_open: bool) -> Servers {
    let fakes = FakePorts::seeded(1);
    let gate = Gate { tls: fakes.tls.clone(), open: Signal::default(), is_open: is_open.into() };
    let (gate, storage) = (Arc::new(gate), MemoryStorage::new(SCHEMAS, fakes.ports().clock.clone()));
    let storage: Arc<dyn Storage> = Arc::new(storage);
    let mut engines = Vec::new();
    for _ in 0..2 {
        let ports = Ports { tls: gate.clone(), ..fakes.ports() };
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        engines.push(Engine::builder(storage.clone(), ports, secret).build().await.unwrap());
    }
    Servers { fakes, gate, engines }
}

impl Servers {
    /// One step of each; how many searches each began.
    async fn step(&self) -> [usize; 2] {
        let mut started = [0; 2];
        for (engine, started) in self.engines.iter().zip(&mut started) {
            *started = engine.step().await.unwrap().searches_started;
        }
        started
    }

    async fn create(&self, id: &str, enabled: bool) -> NetworkScanTarget {
        let create = network_scan::Create {
            id: Some(id.parse().unwrap()),
            name: id.into(),
            cidrs: vec!["192.0.2.0/29".into()],
            ports: vec![],
            enabled,
            scan_interval_hours: Some(2),
            timeout_ms: None,
        };
        self.engines[0].execute(&me(), create).await.unwrap()
    }

    async fn scans(&self) -> Vec<DiscoveryScan> {
        let listed = self.engines[1].execute(&me(), discovery::ListScans::default()).await.unwrap();
        listed.records.into_iter().map(Record::into_entity).collect()
    }

    async fn found(&self) -> Vec<DiscoveredCertificate> {
        let listed = self.engines[1].execute(&me(), discovery::List::default()).await.unwrap();
        listed.records.into_iter().map(Record::into_entity).collect()
    }

    async fn target(&self, id: &str) -> NetworkScanTarget {
        let get = network_scan::Get { id: id.parse().unwrap() };
        self.engines[1].execute(&me(), get).await.unwrap().1
    }

    fn serve(&self, host: &str) {
        let authority =
            block_on(certctl_core::testing::TestAuthority::new(5, certctl_core::ports::Clock::now(&self.fakes.clock)));
        let der = certctl_core::domain::pem::parse(&authority.root_pem(), 1 << 20).unwrap().remove(0).der;
        self.fakes.tls.serve(host, 443, vec![der]);
    }

    fn open(&self) {
        self.gate.is_open.store(true, std::sync::atomic::Ordering::SeqCst);
        self.gate.open.notify();
    }

    /// Passes more time than two looks are apart.
    fn pass(&self, time: Duration) {
        self.fakes.clock.advance(time);
    }
}

#[test]
fn a_target_is_searched_at_once_and_after_its_own_interval_and_a_disabled_one_is_not() {
    block_on(async {
        let servers = servers(true).await;
        servers.serve("192.0.2.3");
        servers.create("nst-on", true).await;
        servers.create("nst-off", false).await;
        assert_eq!(servers.step().await, [1, 0]);
        let target = servers.target("nst-on").await;
        assert_eq!((target.last_scan_certs_found, target.last_scan_at.is_some()), (Some(1), true));
        let found = servers.found().await;
        assert_eq!((found.len(), found[0].source_path.as_str()), (1, "192.0.2.3:443"));
        assert_eq!((found[0].agent_id.as_str(), found[0].source_format.as_str()), ("server-scanner", "network"));
        servers.pass(HOUR);
        assert_eq!(servers.step().await, [0, 0]);
        servers.pass(HOUR + Duration::from_secs(1));
        assert_eq!(servers.step().await.iter().sum::<usize>(), 1);
        let scans = servers.scans().await;
        assert_eq!(scans.iter().map(|scan| scan.certificates_new).collect::<Vec<_>>(), [0, 1]);
        assert!(scans.iter().all(|scan| scan.completed_at.is_some() && scan.directories.0 == ["192.0.2.0/29"]));
        assert_eq!(servers.target("nst-off").await.last_scan_at, None);
        assert_eq!(servers.found().await.len(), 1);
    });
}

#[test]
fn of_several_servers_one_searches_and_nobody_begins_again_while_it_does() {
    block_on(async {
        let servers = servers(false).await;
        servers.serve("192.0.2.3");
        servers.create("nst-1", true).await;
        assert_eq!(servers.step().await, [1, 0]);
        let now = network_scan_now(&servers).await.unwrap_err();
        assert_eq!(now.code(), "scan_running");
        // Far longer than a lease: its holder keeps it.
        for _ in 0..20 {
            servers.pass(Duration::from_secs(9));
            assert_eq!(servers.step().await, [0, 0]);
        }
        let scans = servers.scans().await;
        assert_eq!((scans.len(), scans[0].completed_at), (1, None));
        servers.open();
        let scans = servers.scans().await;
        assert!(scans.len() == 1 && scans[0].completed_at.is_some() && scans[0].certificates_found == 1, "{scans:?}");
        assert_eq!(servers.step().await, [0, 0]);
    });
}

async fn network_scan_now(servers: &Servers) -> Result<certctl_core::engine::ScanProgress, certctl_core::Error> {
    let id = "nst-1".parse().unwrap();
    servers.engines[1].scan_network(&me(), id, Duration::from_secs(25)).await
}

#[test]
fn a_target_that_changes_while_it_is_searched_is_searched_anew() {
    block_on(async {
        let servers = servers(false).await;
        servers.serve("198.51.100.1");
        servers.create("nst-1", true).await;
        assert_eq!(servers.step().await, [1, 0]);
        let update = network_scan::Update {
            id: "nst-1".parse().unwrap(),
            name: None,
            cidrs: Some(vec!["198.51.100.1".into()]),
            ports: None,
            enabled: None,
            scan_interval_hours: None,
            timeout_ms: None,
        };
        servers.engines[0].execute(&me(), update).await.unwrap();
        // The other server takes it up: the first one has not noticed yet that its lease is gone.
        servers.pass(Duration::from_secs(31));
        let started = servers.step().await;
        assert_eq!(started.iter().sum::<usize>(), 1);
        servers.pass(Duration::from_secs(9));
        servers.open();
        let found = servers.found().await;
        assert_eq!(found.iter().map(|found| found.source_path.as_str()).collect::<Vec<_>>(), ["198.51.100.1:443"]);
        assert_eq!(servers.target("nst-1").await.last_scan_certs_found, Some(1));
        // A deleted one is searched no more, and what was found stays.
        let delete = network_scan::Delete { id: "nst-1".parse().unwrap() };
        servers.engines[1].execute(&me(), delete).await.unwrap();
        servers.pass(3 * HOUR);
        assert_eq!((servers.step().await, servers.found().await.len()), ([0, 0], 1));
    });
}
