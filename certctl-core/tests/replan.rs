//! A renewal policy that changes, and a certificate that moves to another one: what is issued already is planned anew.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

#[path = "retirement/interrupted.rs"]
mod interrupted;

use std::sync::Arc;
use std::time::Duration;

use certctl_core::connector::Registry;
use certctl_core::domain::{
    Certificate, Fingerprint, Job, JobType, KeyAlgorithm, Principal, RenewalPolicy, SCHEMAS, Serial, SubjectNames,
    Timestamp, Version,
};
use certctl_core::engine::{Cadence, SetupSecret};
use certctl_core::entity::{Entity, Record};
use certctl_core::ops::{agent, certificate, issuer, profile, renewal_policy};
use certctl_core::ports::Clock;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{MemoryStorage, Query, Storage, UnitOfWork, View};
use certctl_core::testing::{FakePorts, ScriptedCa, ScriptedIssuer, block_on};
use certctl_core::{Engine, pki};
use serde_json::json;

use interrupted::{Interrupted, Interruption};

/// Two engines over one store, the second with commits that can be interrupted, and an agent that holds keys.
struct World {
    fakes: FakePorts,
    storage: Arc<dyn Storage>,
    engine: Engine,
    other: Engine,
    interrupted: Arc<Interrupted>,
}

const DAY: Duration = Duration::from_secs(86_400);
/// When every engine decides by a change, and a little more.
const SETTLED: Duration = Duration::from_millis(2_001);

fn me() -> Principal {
    Principal::embedder("test")
}

async fn engine(fakes: &FakePorts, storage: Arc<dyn Storage>) -> Engine {
    let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
    let registry = Registry::new().issuer::<ScriptedIssuer>();
    let cadence = Cadence { sweep_batch: 20, ..Cadence::default() };
    Engine::builder(storage, fakes.ports(), secret).connectors(registry).cadence(cadence).build().await.unwrap()
}

impl World {
    /// With an issued certificate `mc-1` that keeps to the policy `rp-1`, and a policy `rp-off` that does not renew.
    async fn new() -> Self {
        let fakes = FakePorts::seeded(1);
        ScriptedCa::new(1, fakes.clock.now()).attach(&fakes.http);
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(SCHEMAS, fakes.ports().clock.clone()));
        let interrupted = Arc::new(Interrupted::new(storage.clone(), Interruption::default()));
        let (first, other) = (engine(&fakes, storage.clone()).await, engine(&fakes, interrupted.clone()).await);
        let world = Self { fakes, storage, engine: first, other, interrupted };
        let create = issuer::Create {
            id: Some("iss-near".parse().unwrap()),
            name: "near".into(),
            kind: "Scripted".into(),
            config: json!({ "immediate": true }),
            enabled: true,
        };
        world.engine.execute(&me(), create).await.unwrap();
        let create = profile::Create {
            id: Some("prof-server".parse().unwrap()),
            name: "server".into(),
            description: String::new(),
            allowed_key_algorithms: None,
            max_ttl_seconds: 0,
            allowed_ekus: None,
            required_san_patterns: vec![],
            spiffe_uri_pattern: String::new(),
            allow_short_lived: false,
            must_staple: false,
            requires_approval: false,
            enabled: true,
        };
        world.engine.execute(&me(), create).await.unwrap();
        for (id, auto_renew) in [("rp-1", true), ("rp-off", false)] {
            let create = renewal_policy::Create {
                id: Some(id.parse().unwrap()),
                name: id.into(),
                renewal_window_days: 0,
                auto_renew,
                max_retries: 3,
                retry_interval_seconds: 60,
                alert_thresholds_days: vec![7, 1],
                alert_severity_map: std::collections::BTreeMap::new(),
                alert_channels: std::collections::BTreeMap::new(),
                freeze_windows: vec![],
                fallback_issuer_ids: vec![],
                deployment_waves: None,
            };
            world.engine.execute(&me(), create).await.unwrap();
        }
        let registration = agent::Registration {
            id: Some("edge-1".parse().unwrap()),
            name: "edge-1".into(),
            hostname: "host".into(),
            ..agent::Registration::default()
        };
        world.engine.execute(&me(), agent::Register { registration, enrol_token: None }).await.unwrap();
        world.create("mc-1").await;
        world.submit(&world.engine, "mc-1").await;
        world
    }

    async fn create(&self, id: &str) {
        let create = certificate::Create {
            id: Some(id.parse().unwrap()),
            issuer_id: "iss-near".parse().unwrap(),
            renewal_policy_id: "rp-1".parse().unwrap(),
            certificate_profile_id: Some("prof-server".parse().unwrap()),
            agent_id: Some("edge-1".parse().unwrap()),
            ..certificate::Create::new(id, format!("{id}.example.com"))
        };
        self.engine.execute(&me(), create).await.unwrap();
    }

    /// The agent sends the request that the certificate waits for.
    async fn submit(&self, engine: &Engine, id: &str) {
        let key = self.fakes.keys.generate(KeyAlgorithm::EcdsaP256, &*self.fakes.rng).await.unwrap();
        let names = SubjectNames::new(&format!("{id}.example.com"), &[]).unwrap();
        let csr_pem = pki::csr::build(&names, &*key.signer).await.unwrap().to_pem();
        let (agent_id, certificate_id) = ("edge-1".parse().unwrap(), id.parse().unwrap());
        engine.execute(&me(), agent::SubmitCsr { agent_id, certificate_id, csr_pem }).await.unwrap();
    }

    /// As many certificates like `mc-1` as asked for, straight into the store.
    async fn copies(&self, count: u32) {
        let (certificate, version) = (self.get::<Certificate>("mc-1").await, self.version("mc-1").await);
        let mut unit = UnitOfWork::begin(&self.storage).await.unwrap().bookkeeping();
        for number in 0..count {
            let id = format!("copy-{number:04}");
            let certificate =
                Certificate { id: id.parse().unwrap(), name: id.clone(), ..Certificate::clone(&certificate) };
            unit.insert(certificate);
            unit.insert(Version {
                id: format!("ver-{id}").parse().unwrap(),
                certificate_id: id.parse().unwrap(),
                serial_number: Serial::from_magnitude(&(number + 1).to_be_bytes()).unwrap(),
                fingerprint_sha256: Fingerprint::of(id.as_bytes()),
                ..Version::clone(&version)
            });
        }
        unit.commit().await.unwrap();
    }

    async fn get<E: Entity>(&self, id: &str) -> Record<E> {
        self.storage.read(View::Latest).await.unwrap().get(id).await.unwrap().unwrap()
    }

    async fn all<E: Entity>(&self, query: Query<E>) -> Vec<Record<E>> {
        self.storage.read(View::Latest).await.unwrap().list(query.limit(5_000)).await.unwrap().records
    }

    async fn version(&self, certificate: &str) -> Record<Version> {
        let newest = Query::<Version>::sorted(Version::FIELDS.created_at.descending())
            .filter(Version::FIELDS.certificate_id.equals(certificate.parse().unwrap()));
        self.all(newest).await.into_iter().next().unwrap()
    }

    async fn renew_at(&self, certificate: &str) -> Timestamp {
        self.get::<Certificate>(certificate).await.renew_at
    }

    /// The jobs of renewals of a certificate, open or not.
    async fn renewals(&self, certificate: &str) -> usize {
        let fields = Job::FIELDS;
        let jobs = Query::<Job>::all()
            .filter(fields.certificate_id.equals(certificate.parse().unwrap()))
            .filter(fields.kind.equals(JobType::Renewal));
        self.all(jobs).await.len()
    }

    async fn change(&self, change: renewal_policy::Update) {
        self.engine.execute(&me(), change).await.unwrap();
    }

    /// Steps until nothing is to be planned anew; gives how many certificates were.
    async fn settle(&self, engine: &Engine) -> usize {
        self.fakes.clock.advance(SETTLED);
        let mut planned = 0;
        loop {
            match engine.step().await.unwrap().replanned {
                0 => return planned,
                more => planned += more,
            }
        }
    }

    fn go_to(&self, moment: Timestamp) {
        self.fakes.clock.advance(moment.since(self.fakes.clock.now()) + Duration::from_secs(1));
    }

    /// Within how much of the end a version that was issued by a window of so many days is to be renewed.
    async fn is_planned_by_window(&self, certificate: &str, days: u32) -> bool {
        let left = self.version(certificate).await.not_after.since(self.renew_at(certificate).await);
        left >= DAY * days && left <= DAY * days * 11 / 10
    }
}

fn policy(id: &str) -> renewal_policy::Update {
    renewal_policy::Update {
        id: id.parse().unwrap(),
        name: None,
        renewal_window_days: None,
        auto_renew: None,
        max_retries: None,
        retry_interval_seconds: None,
        alert_thresholds_days: None,
        alert_severity_map: None,
        alert_channels: None,
        freeze_windows: None,
        fallback_issuer_ids: None,
        deployment_waves: None,
    }
}

fn auto_renew(on: bool) -> renewal_policy::Update {
    renewal_policy::Update { auto_renew: Some(on), ..policy("rp-1") }
}

fn window(days: i64) -> renewal_policy::Update {
    renewal_policy::Update { renewal_window_days: Some(days), ..policy("rp-1") }
}

fn moved(id: &str, policy: &str) -> certificate::Update {
    certificate::Update {
        id: Some(id.parse().unwrap()),
        renewal_policy_id: Some(policy.parse().unwrap()),
        ..certificate::Update::default()
    }
}

#[test]
fn off_stops_what_comes_due_at_once() {
    block_on(async {
        let world = World::new().await;
        let due = world.renew_at("mc-1").await;
        world.go_to(due);
        // Nothing was planned anew yet, and it is due by the plan that is stored.
        world.change(auto_renew(false)).await;
        let progress = world.engine.step().await.unwrap();
        assert_eq!((progress.renewals_begun, progress.replanned), (0, 0));
        let certificate = world.get::<Certificate>("mc-1").await;
        assert_eq!((certificate.renew_at, certificate.renewing), (Timestamp::NEVER, false));
        assert_eq!(certificate.expiring_at, certificate.expires_at - DAY * 7);
        assert_eq!(world.renewals("mc-1").await, 0);

        world.settle(&world.engine).await;
        world.go_to(certificate.expires_at);
        world.engine.step().await.unwrap();
        assert_eq!(world.renewals("mc-1").await, 0);
    });
}

#[test]
fn off_and_on_again_plans_anew() {
    block_on(async {
        let world = World::new().await;
        let before = world.get::<Certificate>("mc-1").await;
        world.change(auto_renew(false)).await;
        assert_eq!(world.settle(&world.engine).await, 1);
        assert_eq!(world.renew_at("mc-1").await, Timestamp::NEVER);
        // Whoever turns it on while it is overdue gets a renewal at once, and one only.
        world.go_to(before.renew_at);
        world.engine.step().await.unwrap();
        assert_eq!(world.renewals("mc-1").await, 0);
        world.change(auto_renew(true)).await;
        assert_eq!(world.settle(&world.engine).await, 1);
        for engine in [&world.engine, &world.other, &world.engine] {
            engine.step().await.unwrap();
        }
        assert_eq!(world.renewals("mc-1").await, 1);
        let certificate = world.get::<Certificate>("mc-1").await;
        assert_eq!((certificate.renew_at, certificate.renewing), (Timestamp::NEVER, true));
        world.submit(&world.engine, "mc-1").await;
        assert!(world.renew_at("mc-1").await > before.renew_at);
    });
}

#[test]
fn another_window_moves_the_renewal_both_ways() {
    block_on(async {
        let world = World::new().await;
        for days in [5, 20, 3] {
            world.change(window(days)).await;
            assert_eq!(world.settle(&world.engine).await, 1);
            assert!(world.is_planned_by_window("mc-1", u32::try_from(days).unwrap()).await, "{days}");
        }
        // Two changes at once are planned once, by the later one.
        world.change(window(9)).await;
        world.change(window(12)).await;
        assert_eq!(world.settle(&world.engine).await, 1);
        assert!(world.is_planned_by_window("mc-1", 12).await);
        // Due by a plan that is older than the policy: moved, not renewed.
        let due = world.renew_at("mc-1").await;
        world.go_to(due);
        world.change(window(2)).await;
        assert_eq!(world.engine.step().await.unwrap().renewals_begun, 0);
        assert!(world.is_planned_by_window("mc-1", 2).await);
        assert_eq!(world.renewals("mc-1").await, 0);
        world.settle(&world.engine).await;
        let due = world.renew_at("mc-1").await;
        world.go_to(due);
        assert_eq!(world.engine.step().await.unwrap().renewals_begun, 1);
        assert_eq!(world.renewals("mc-1").await, 1);
    });
}

#[test]
fn what_does_not_concern_the_time_leaves_the_plan_alone() {
    block_on(async {
        let world = World::new().await;
        let before = world.get::<Certificate>("mc-1").await;
        world
            .change(renewal_policy::Update { name: Some("ours".into()), max_retries: Some(9), ..policy("rp-1") })
            .await;
        assert_eq!(world.settle(&world.engine).await, 0);
        assert_eq!(world.get::<Certificate>("mc-1").await.version(), before.version());
        // When people are told is planned, too.
        assert_eq!(before.alert_at, before.expires_at - DAY * 7);
        world.change(renewal_policy::Update { alert_thresholds_days: Some(vec![2]), ..policy("rp-1") }).await;
        assert_eq!(world.settle(&world.engine).await, 1);
        let after = world.get::<Certificate>("mc-1").await;
        assert_eq!(after.alert_at, after.expires_at - DAY * 2);
        // Where nothing renews, the first alert says from when a certificate is expiring.
        world.engine.execute(&me(), moved("mc-1", "rp-off")).await.unwrap();
        world.change(renewal_policy::Update { alert_thresholds_days: Some(vec![9]), ..policy("rp-off") }).await;
        assert_eq!(world.settle(&world.engine).await, 1);
        let after = world.get::<Certificate>("mc-1").await;
        assert_eq!(after.expiring_at, after.expires_at - DAY * 9);
    });
}

#[test]
fn a_certificate_that_moves_is_planned_at_once() {
    block_on(async {
        let world = World::new().await;
        let before = world.renew_at("mc-1").await;
        world.engine.execute(&me(), moved("mc-1", "rp-off")).await.unwrap();
        let certificate = world.get::<Certificate>("mc-1").await;
        assert_eq!(certificate.renew_at, Timestamp::NEVER);
        assert_eq!(certificate.expiring_at, certificate.expires_at - DAY * 7);
        world.engine.execute(&me(), moved("mc-1", "rp-1")).await.unwrap();
        let renew_at = world.renew_at("mc-1").await;
        assert!(renew_at != Timestamp::NEVER && renew_at >= before - DAY * 10 && renew_at <= before + DAY * 10);
        // The same policy again is no move.
        world.engine.execute(&me(), moved("mc-1", "rp-1")).await.unwrap();
        assert_eq!(world.renew_at("mc-1").await, renew_at);
        // While a renewal is under way none is planned; it ends by the policy that stands then.
        world.engine.execute(&me(), certificate::Renew { id: "mc-1".parse().unwrap() }).await.unwrap();
        world.engine.execute(&me(), moved("mc-1", "rp-off")).await.unwrap();
        world.engine.execute(&me(), moved("mc-1", "rp-1")).await.unwrap();
        assert_eq!(world.renew_at("mc-1").await, Timestamp::NEVER);
        world.submit(&world.engine, "mc-1").await;
        assert!(world.renew_at("mc-1").await > renew_at);
    });
}

#[test]
fn a_thousand_certificates_are_planned_in_batches_that_a_crash_does_not_repeat() {
    block_on(async {
        let world = World::new().await;
        world.copies(1_000).await;
        world.change(auto_renew(false)).await;
        world.fakes.clock.advance(SETTLED);
        // One step, and the engine is gone.
        assert_eq!(world.other.step().await.unwrap().replanned, 100);
        let planned = |certificates: &[Record<Certificate>]| {
            certificates.iter().filter(|certificate| certificate.renew_at == Timestamp::NEVER).count()
        };
        let certificates = world.all(Query::<Certificate>::all()).await;
        assert_eq!((certificates.len(), planned(&certificates)), (1_001, 100));
        let done: Vec<(String, i64)> = certificates
            .iter()
            .filter(|certificate| certificate.renew_at == Timestamp::NEVER)
            .map(|certificate| (certificate.id.to_string(), certificate.version()))
            .collect();

        assert_eq!(world.engine.next_due().await.unwrap(), Some(Duration::ZERO));
        // The other one waits until the lease of the one that is gone has ended.
        assert_eq!(world.engine.step().await.unwrap().replanned, 0);
        world.fakes.clock.advance(Cadence::default().lease);
        assert_eq!(world.settle(&world.engine).await, 901);
        let certificates = world.all(Query::<Certificate>::all()).await;
        assert_eq!(planned(&certificates), 1_001);
        for (id, version) in done {
            assert_eq!(world.get::<Certificate>(&id).await.version(), version, "{id} was planned twice");
        }
        // The second engine finds nothing left.
        assert_eq!(world.settle(&world.other).await, 0);

        // A change in the middle begins from the first again.
        world.change(window(20)).await;
        world.change(auto_renew(true)).await;
        world.fakes.clock.advance(SETTLED);
        assert_eq!(world.engine.step().await.unwrap().replanned, 100);
        world.change(window(3)).await;
        assert_eq!(world.settle(&world.engine).await, 1_001);
        for id in ["copy-0000", "copy-0099", "copy-0100", "copy-0999", "mc-1"] {
            assert!(world.is_planned_by_window(id, 3).await, "{id}");
        }
    });
}

#[test]
fn two_engines_share_the_batches() {
    block_on(async {
        let world = World::new().await;
        world.copies(30).await;
        world.change(window(20)).await;
        world.fakes.clock.advance(SETTLED);
        // Right before the first batch of one engine is committed, behind its lease, another one does it all: the first one
        // was so slow that its lease has ended.
        let (meanwhile, clock) = (world.engine.clone(), world.fakes.clock.clone());
        world.interrupted.gate().before(
            1,
            Box::pin(async move {
                assert_eq!(meanwhile.step().await.unwrap().replanned, 0);
                clock.advance(Cadence::default().lease);
                assert_eq!(meanwhile.step().await.unwrap().replanned, 31);
            }),
        );
        assert_eq!(world.other.step().await.unwrap().replanned, 0);
        assert!(world.interrupted.gate().happened());
        for certificate in world.all(Query::<Certificate>::all()).await {
            assert!(world.is_planned_by_window(certificate.id.as_str(), 20).await);
            assert_eq!(certificate.version(), if certificate.id.as_str() == "mc-1" { 3 } else { 2 });
        }
    });
}

#[test]
fn a_certificate_that_somebody_writes_holds_up_nobody() {
    block_on(async {
        let world = World::new().await;
        world.copies(30).await;
        world.change(window(20)).await;
        world.fakes.clock.advance(SETTLED);
        let meanwhile = world.engine.clone();
        world.interrupted.gate().before(
            1,
            Box::pin(async move {
                let id = Some("copy-0003".parse().unwrap());
                let rename = certificate::Update { id, name: Some("renamed".into()), ..certificate::Update::default() };
                meanwhile.execute(&me(), rename).await.unwrap();
                meanwhile.execute(&me(), moved("copy-0004", "rp-off")).await.unwrap();
            }),
        );
        assert_eq!(world.settle(&world.other).await, 31);
        assert!(world.interrupted.gate().happened());
        for certificate in world.all(Query::<Certificate>::all()).await {
            let (id, renews) = (certificate.id.as_str(), certificate.renewal_policy_id.as_str() == "rp-1");
            assert_eq!(certificate.renew_at != Timestamp::NEVER, renews, "{id}");
            assert_eq!(world.is_planned_by_window(id, 20).await, renews, "{id}");
        }
        assert_eq!(world.get::<Certificate>("copy-0003").await.name, "renamed");
    });
}

#[test]
fn an_issuance_that_began_by_the_old_policy_is_planned_by_the_new_one() {
    block_on(async {
        let world = World::new().await;
        world.change(auto_renew(false)).await;
        world.settle(&world.engine).await;
        world.create("mc-2").await;
        // While the engine certifies by a policy that does not renew, it is changed, and everything is planned anew.
        let (meanwhile, clock) = (world.engine.clone(), world.fakes.clock.clone());
        world.interrupted.gate().before(
            0,
            Box::pin(async move {
                meanwhile.execute(&me(), auto_renew(true)).await.unwrap();
                clock.advance(SETTLED);
                assert_eq!(meanwhile.step().await.unwrap().replanned, 2);
            }),
        );
        world.submit(&world.other, "mc-2").await;
        assert!(world.interrupted.gate().happened());
        assert!(world.renew_at("mc-2").await != Timestamp::NEVER);
        assert!(world.renew_at("mc-1").await != Timestamp::NEVER);
    });
}

#[test]
fn a_policy_that_is_deleted_meanwhile_leaves_nothing_to_do() {
    block_on(async {
        let world = World::new().await;
        world.change(renewal_policy::Update { auto_renew: Some(true), ..policy("rp-off") }).await;
        world.engine.execute(&me(), renewal_policy::Delete { id: "rp-off".parse().unwrap() }).await.unwrap();
        assert_eq!(world.settle(&world.engine).await, 0);
        assert_eq!(world.all(Query::<certctl_core::domain::Replan>::all()).await.len(), 0);
        assert!(world.all(Query::<RenewalPolicy>::all()).await.iter().all(|policy| policy.id.as_str() != "rp-off"));
    });
}
