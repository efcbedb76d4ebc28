//! Issuers that fail, and those that are asked in their place.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use certctl_core::Engine;
use certctl_core::connector::{ConnectorErrorKind, Registry};
use certctl_core::decide::explain::{Gate, GateName, GateVerdict};
use certctl_core::domain::{
    AuditAction, AuditEvent, Certificate, IssuerHealth, Job, JobState, KeyAlgorithm, Principal, SCHEMAS, SubjectNames,
    Version,
};
use certctl_core::engine::SetupSecret;
use certctl_core::entity::{Entity, Record};
use certctl_core::ops::{certificate, issuer, profile, renewal_policy};
use certctl_core::pki;
use certctl_core::ports::{Clock, HttpError};
use certctl_core::seal::SealingKey;
use certctl_core::storage::{MemoryStorage, Query, View};
use certctl_core::testing::{CaStep, FakePorts, ScriptedCa, ScriptedIssuer, block_on};
use serde_json::{Value, json};

const DEAD: &str = "https://dead.scripted.test";
const HOUR: Duration = Duration::from_hours(1);

struct World {
    fakes: FakePorts,
    engine: Engine,
    ca: ScriptedCa,
    /// Calls to the issuer that is gone.
    knocks: Arc<AtomicUsize>,
}

fn me() -> Principal {
    Principal::embedder("test")
}

impl World {
    /// `iss-own` cannot be reached, `iss-spare` answers; the policy falls back on it if told so.
    async fn new(fallbacks: &[&str]) -> Self {
        let fakes = FakePorts::seeded(3);
        let ports = fakes.ports();
        let knocks = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&knocks);
        fakes.http.handle(move |request, _| {
            request.url.as_str().starts_with(DEAD).then(|| {
                count.fetch_add(1, Ordering::SeqCst);
                Err(HttpError::Unreachable { host: "dead.scripted.test".into(), reason: "nobody is there".into() })
            })
        });
        let ca = ScriptedCa::new(3, ports.clock.now());
        ca.attach(&fakes.http);
        let storage = Arc::new(MemoryStorage::new(SCHEMAS, ports.clock.clone()));
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let registry = Registry::new().issuer::<ScriptedIssuer>();
        let engine = Engine::builder(storage, ports, secret).connectors(registry).build().await.unwrap();
        let world = Self { fakes, engine, ca, knocks };
        for (id, config) in [("iss-own", json!({ "url": DEAD })), ("iss-spare", json!({}))] {
            let create = issuer::Create {
                id: Some(id.parse().unwrap()),
                name: id.into(),
                kind: "Scripted".into(),
                config,
                enabled: true,
            };
            world.engine.execute(&me(), create).await.unwrap();
        }
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
        let change = renewal_policy::Update {
            id: "rp-default".parse().unwrap(),
            name: None,
            renewal_window_days: None,
            auto_renew: None,
            max_retries: Some(10),
            retry_interval_seconds: Some(60),
            alert_thresholds_days: None,
            alert_severity_map: None,
            alert_channels: None,
            freeze_windows: None,
            fallback_issuer_ids: Some(fallbacks.iter().map(|id| id.parse().unwrap()).collect()),
            deployment_waves: None,
        };
        world.engine.execute(&me(), change).await.unwrap();
        world
    }

    async fn order(&self, id: &str) {
        let create = certificate::Create {
            id: Some(id.parse().unwrap()),
            issuer_id: "iss-own".parse().unwrap(),
            certificate_profile_id: Some("prof-server".parse().unwrap()),
            ..certificate::Create::new(id, format!("{id}.example.com"))
        };
        self.engine.execute(&me(), create).await.unwrap();
        self.submit(id).await;
    }

    async fn submit(&self, id: &str) {
        let key = self.fakes.keys.generate(KeyAlgorithm::EcdsaP256, &*self.fakes.rng).await.unwrap();
        let names = SubjectNames::new(&format!("{id}.example.com"), &[]).unwrap();
        let csr_pem = pki::csr::build(&names, &*key.signer).await.unwrap().to_pem();
        let submit = certificate::SubmitCsr { id: id.parse().unwrap(), csr_pem };
        self.engine.execute(&me(), submit).await.unwrap();
    }

    /// Steps whenever something is due, for this long.
    async fn pass(&self, time: Duration) {
        let clock = &self.fakes.clock;
        let end = clock.monotonic() + time;
        loop {
            self.engine.step().await.unwrap();
            let left = clock.monotonic().until(end);
            if left.is_zero() {
                return;
            }
            let due = self.engine.next_due().await.unwrap().unwrap_or(left);
            let wake = clock.next_deadline().map_or(left, |deadline| clock.monotonic().until(deadline));
            clock.advance(due.min(wake).max(Duration::from_millis(10)).min(left));
        }
    }

    async fn all<E: Entity>(&self) -> Vec<Record<E>> {
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        view.list(Query::<E>::all().limit(1_000)).await.unwrap().records
    }

    async fn newest(&self, id: &str) -> Option<Record<Version>> {
        let mut versions = self.all::<Version>().await;
        versions.retain(|version| version.certificate_id.as_str() == id);
        versions.sort_by_key(|version| version.created_at);
        versions.pop()
    }

    async fn events(&self, action: AuditAction) -> Vec<Value> {
        let mut events = self.all::<AuditEvent>().await;
        events.retain(|event| event.action == action);
        events.iter().map(|event| event.details.0.clone()).collect()
    }

    async fn gate(&self, id: &str, name: GateName) -> Option<Gate> {
        let explain = certificate::Explain { id: id.parse().unwrap() };
        let gates = self.engine.execute(&me(), explain).await.unwrap().gates;
        gates.into_iter().find(|gate| gate.name == name)
    }
}

#[test]
fn an_issuer_that_fails_is_passed_over_until_it_is_well_again() {
    block_on(async {
        let world = World::new(&["iss-spare"]).await;
        world.order("mc-1").await;
        world.pass(HOUR).await;
        let version = world.newest("mc-1").await.unwrap();
        assert_eq!(version.issuer_id.as_str(), "iss-spare");
        let certificate = world.all::<Certificate>().await.remove(0);
        assert_eq!(certificate.issuer_id.as_str(), "iss-own", "it stays what it was");
        let failed_over = world.events(AuditAction::IssuerFailedOver).await;
        assert_eq!(failed_over.len(), 1);
        assert_eq!((&failed_over[0]["from"], &failed_over[0]["to"]), (&json!("iss-own"), &json!("iss-spare")));
        let opened = world.events(AuditAction::IssuerBreakerOpened).await;
        assert_eq!((opened.len(), &opened[0]["failures"]), (1, &json!(5)));

        // Its time is over, so the next order tries it; it fails, and goes to the other one.
        let knocks = world.knocks.load(Ordering::SeqCst);
        world.order("mc-2").await;
        world.pass(Duration::from_secs(1)).await;
        let gate = world.gate("mc-2", GateName::Issuer).await.unwrap();
        assert!(gate.reason.contains("iss-own"), "{}", gate.reason);
        world.pass(HOUR).await;
        assert_eq!(world.newest("mc-2").await.unwrap().issuer_id.as_str(), "iss-spare");
        assert!(world.knocks.load(Ordering::SeqCst) <= knocks + 3, "one attempt, and what its layers repeat");

        let id = "iss-own".parse().unwrap();
        let mended = issuer::Update { id, name: None, config: Some(json!({ "url": ScriptedCa::URL })), enabled: None };
        world.engine.execute(&me(), mended).await.unwrap();
        world.pass(HOUR * 2).await;
        world.submit("mc-1").await;
        world.pass(Duration::from_secs(10)).await;
        assert_eq!(world.newest("mc-1").await.unwrap().issuer_id.as_str(), "iss-own");
        assert_eq!(world.events(AuditAction::IssuerBreakerClosed).await.len(), 1);
        let health = world.all::<IssuerHealth>().await.remove(0);
        assert_eq!((health.failures, health.open_until), (0, None));
    });
}

#[test]
fn without_another_issuer_an_open_breaker_stops_nothing() {
    block_on(async {
        let world = World::new(&[]).await;
        world.order("mc-1").await;
        world.pass(HOUR * 12).await;
        assert!(world.newest("mc-1").await.is_none());
        let first = world.all::<Job>().await.into_iter().min_by_key(|job| job.created_at).unwrap();
        assert_eq!((first.state, first.attempts), (JobState::Failed, 10), "every attempt was made");
        let health = world.all::<IssuerHealth>().await.remove(0);
        assert!(health.failures >= 10 && health.openings >= 2);
    });
}

#[test]
fn a_used_up_quota_is_passed_over_as_well() {
    block_on(async {
        let world = World::new(&["iss-spare"]).await;
        let id = "iss-own".parse().unwrap();
        let mended = issuer::Update { id, name: None, config: Some(json!({ "url": ScriptedCa::URL })), enabled: None };
        world.engine.execute(&me(), mended).await.unwrap();
        world.ca.then([CaStep::Fail(ConnectorErrorKind::Quota, Some(HOUR * 24))]);
        world.order("mc-1").await;
        world.pass(Duration::from_secs(10)).await;
        let gate = world.gate("mc-1", GateName::Issuer).await.unwrap();
        assert!(
            gate.reason.contains("`iss-spare` is asked") && gate.reason.contains("no quota left"),
            "{}",
            gate.reason
        );
        assert_eq!((gate.verdict, world.gate("mc-1", GateName::Quota).await), (GateVerdict::Open, None));
        world.order("mc-2").await;
        world.pass(Duration::from_secs(10)).await;
        assert_eq!(world.newest("mc-2").await.unwrap().issuer_id.as_str(), "iss-spare");
    });
}

#[test]
fn what_a_policy_falls_back_on_is_there_and_stays() {
    block_on(async {
        let world = World::new(&["iss-spare"]).await;
        let delete = issuer::Delete { id: "iss-spare".parse().unwrap() };
        assert_eq!(world.engine.execute(&me(), delete).await.unwrap_err().code(), "in_use");
        for (ids, code) in [
            (vec!["iss-none"], "unknown_reference"),
            (vec!["iss-own", "iss-own"], "duplicate"),
            (vec!["iss-own"; 6], "too_many"),
        ] {
            let change = renewal_policy::Update {
                id: "rp-default".parse().unwrap(),
                name: None,
                renewal_window_days: None,
                auto_renew: None,
                max_retries: None,
                retry_interval_seconds: None,
                alert_thresholds_days: None,
                alert_severity_map: None,
                alert_channels: None,
                freeze_windows: None,
                fallback_issuer_ids: Some(ids.iter().map(|id| id.parse().unwrap()).collect()),
                deployment_waves: None,
            };
            let refused = world.engine.execute(&me(), change).await.unwrap_err();
            assert_eq!(refused.fields()[0].code, code);
        }
    });
}
