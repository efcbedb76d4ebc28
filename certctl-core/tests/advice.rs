//! Renewals that CAs advise about (RFC 9773), against a scripted CA: every way in which that went wrong elsewhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::sync::Arc;
use std::time::Duration;

use certctl_core::Engine;
use certctl_core::connector::{ConnectorErrorKind, Registry};
use certctl_core::decide::explain::{Gate, GateName, GateVerdict};
use certctl_core::domain::{
    AuditAction, AuditEvent, Certificate, CertificateStatus, Job, JobState, JobType, KeyAlgorithm, Lifecycle,
    Principal, RenewalAdvice, SCHEMAS, SubjectNames, Timestamp, Version,
};
use certctl_core::engine::SetupSecret;
use certctl_core::entity::{Entity, Record};
use certctl_core::ops::{certificate, issuer, profile};
use certctl_core::pki;
use certctl_core::ports::Clock;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{MemoryStorage, Query, View};
use certctl_core::testing::{AdviceStep, FakePorts, ScriptedCa, ScriptedIssuer, block_on};
use serde_json::{Value, json};

const DAY: Duration = Duration::from_hours(24);
const HOUR: Duration = Duration::from_hours(1);

struct World {
    fakes: FakePorts,
    engine: Engine,
    ca: ScriptedCa,
}

fn me() -> Principal {
    Principal::embedder("test")
}

impl World {
    /// A world with a certificate that was issued by a CA that advises.
    async fn new(immediate: bool) -> Self {
        let fakes = FakePorts::seeded(9);
        let ports = fakes.ports();
        let ca = ScriptedCa::new(9, ports.clock.now());
        ca.attach(&fakes.http);
        let storage = Arc::new(MemoryStorage::new(SCHEMAS, ports.clock.clone()));
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let registry = Registry::new().issuer::<ScriptedIssuer>();
        let engine = Engine::builder(storage, ports, secret).connectors(registry).build().await.unwrap();
        let world = Self { fakes, engine, ca };
        world.issuer("iss-far", json!({ "renewal_info": true, "immediate": immediate })).await;
        world.issuer("iss-mute", json!({ "immediate": immediate })).await;
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
        let create = certificate::Create {
            id: Some("mc-1".parse().unwrap()),
            issuer_id: "iss-far".parse().unwrap(),
            certificate_profile_id: Some("prof-server".parse().unwrap()),
            ..certificate::Create::new("mc-1", "mc-1.example.com")
        };
        world.engine.execute(&me(), create).await.unwrap();
        world.submit().await;
        assert_eq!(world.status().await, CertificateStatus::Active);
        world
    }

    async fn issuer(&self, name: &str, config: Value) {
        let id = Some(name.parse().unwrap());
        let create = issuer::Create { id, name: name.into(), kind: "Scripted".into(), config, enabled: true };
        self.engine.execute(&me(), create).await.unwrap();
    }

    async fn configure(&self, config: Value) {
        let id = "iss-far".parse().unwrap();
        self.engine
            .execute(&me(), issuer::Update { id, name: None, config: Some(config), enabled: None })
            .await
            .unwrap();
    }

    /// Sends a request for the certificate, and lets the issuer work on it.
    async fn submit(&self) {
        let key = self.fakes.keys.generate(KeyAlgorithm::EcdsaP256, &*self.fakes.rng).await.unwrap();
        let names = SubjectNames::new("mc-1.example.com", &[]).unwrap();
        let csr_pem = pki::csr::build(&names, &*key.signer).await.unwrap().to_pem();
        let submit = certificate::SubmitCsr { id: "mc-1".parse().unwrap(), csr_pem };
        self.engine.execute(&me(), submit).await.unwrap();
        self.pass(Duration::from_secs(10)).await;
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

    fn now(&self) -> Timestamp {
        self.fakes.clock.now()
    }

    fn advise(&self, start: Timestamp, end: Timestamp) {
        self.ca.then_advise([AdviceStep::Window { start, end, retry_after: None }]);
    }

    async fn all<E: Entity>(&self) -> Vec<Record<E>> {
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        view.list(Query::<E>::all().limit(1_000)).await.unwrap().records
    }

    async fn certificate(&self) -> Record<Certificate> {
        self.all::<Certificate>().await.remove(0)
    }

    async fn status(&self) -> CertificateStatus {
        self.engine.execute(&me(), certificate::Get { id: "mc-1".parse().unwrap() }).await.unwrap().status
    }

    /// The versions, oldest first.
    async fn versions(&self) -> Vec<Record<Version>> {
        let mut versions = self.all::<Version>().await;
        versions.sort_by_key(|version| version.created_at);
        versions
    }

    async fn newest(&self) -> Record<Version> {
        self.versions().await.pop().unwrap()
    }

    async fn advice(&self) -> Record<RenewalAdvice> {
        let mut advice = self.all::<RenewalAdvice>().await;
        advice.sort_by_key(|advice| advice.issued_at);
        advice.pop().unwrap()
    }

    async fn renewals(&self) -> Vec<Record<Job>> {
        let mut jobs = self.all::<Job>().await;
        jobs.retain(|job| job.kind == JobType::Renewal);
        jobs
    }

    async fn events(&self, action: AuditAction) -> Vec<Record<AuditEvent>> {
        let mut events = self.all::<AuditEvent>().await;
        events.retain(|event| event.action == action);
        events
    }

    async fn gate(&self, name: GateName) -> Option<Gate> {
        let explain = certificate::Explain { id: "mc-1".parse().unwrap() };
        let gates = self.engine.execute(&me(), explain).await.unwrap().gates;
        gates.into_iter().find(|gate| gate.name == name)
    }
}

/// The same at both paces: within the caller's request, and by a job.
fn at_both_paces(test: impl AsyncFn(World)) {
    for immediate in [true, false] {
        block_on(async { test(World::new(immediate).await).await });
    }
}

#[test]
fn a_renewal_tells_the_ca_what_it_replaces() {
    at_both_paces(async |world| {
        let first = world.newest().await;
        assert_eq!(first.account.as_deref(), Some("account-1"));
        world.submit().await;
        let second = world.newest().await;
        assert_ne!(first.id, second.id);
        assert_eq!((second.lineage_break.as_deref(), world.ca.replaced().len()), (None, 1));
    });
}

#[test]
fn a1_an_already_replaced_certificate_is_renewed_without_saying_so() {
    at_both_paces(async |world| {
        let first = world.newest().await;
        world.ca.supersede(&world.advice().await.renewal_info_id);
        world.submit().await;
        let second = world.newest().await;
        assert_ne!(first.id, second.id, "it is renewed all the same");
        assert!(second.lineage_break.as_deref().is_some_and(|why| why.contains("alreadyReplaced")));
        assert_eq!(world.events(AuditAction::LineageBroken).await.len(), 1);
        let job = world.all::<Job>().await.into_iter().find(|job| job.version_id == Some(second.id.clone())).unwrap();
        assert_eq!((job.state, job.attempts), (JobState::Completed, 1), "no attempt is lost by it");
        assert!(world.gate(GateName::Lineage).await.is_some());
        // The next one is in line again.
        world.submit().await;
        assert_eq!(world.newest().await.lineage_break, None);
    });
}

#[test]
fn a2_another_account_orders_without_naming_what_the_first_one_ordered() {
    at_both_paces(async |world| {
        world.configure(json!({ "renewal_info": true, "account": "account-2" })).await;
        world.submit().await;
        let version = world.newest().await;
        assert_eq!(version.account.as_deref(), Some("account-2"));
        assert!(version.lineage_break.as_deref().is_some_and(|why| why.contains("account-1")));
        assert!(world.ca.replaced().is_empty(), "the CA was never told");
        assert!(world.events(AuditAction::LineageBroken).await.is_empty(), "so it refused nothing");
    });
}

#[test]
fn a3_another_ca_is_not_told_of_what_it_cannot_know() {
    at_both_paces(async |world| {
        world.ca.forget();
        let config = json!({ "renewal_info": true, "directory": "https://other.test/directory" });
        world.configure(config).await;
        world.submit().await;
        let version = world.newest().await;
        assert!(version.lineage_break.as_deref().is_some_and(|why| why.contains("another CA")));
        assert!(world.ca.replaced().is_empty());
    });
}

#[test]
fn a3_a_ca_that_forgot_its_certificate_is_asked_again_without_it() {
    at_both_paces(async |world| {
        world.ca.forget();
        world.submit().await;
        assert!(world.newest().await.lineage_break.as_deref().is_some_and(|why| why.contains("malformed")));
        assert_eq!(world.versions().await.len(), 2);
    });
}

#[test]
fn a4_a_window_of_the_version_before_says_nothing_about_the_next() {
    block_on(async {
        let world = World::new(true).await;
        let start = world.now() + HOUR;
        // Whatever it is asked about, the CA answers with a window that has passed.
        world.ca.then_advise(std::iter::repeat_n(
            AdviceStep::Window { start, end: start + HOUR, retry_after: Some(Duration::from_mins(1)) },
            100_000,
        ));
        world.pass(DAY * 2).await;
        assert_eq!(world.renewals().await.len(), 1, "it is due");
        let mut issued = world.versions().await.len();
        for _ in 0..5 {
            world.submit().await;
            issued += 1;
            world.pass(HOUR * 23).await;
            assert_eq!(world.versions().await.len(), issued);
            assert_eq!(world.certificate().await.lifecycle, Lifecycle::Issued);
            assert!(!world.certificate().await.renewing, "at most one renewal a day, whatever the CA says");
            world.pass(HOUR * 3).await;
            assert!(world.certificate().await.renewing);
        }
    });
}

#[test]
fn a5_a_window_that_has_begun_makes_it_due() {
    block_on(async {
        let world = World::new(true).await;
        world.pass(DAY * 10).await;
        assert!(world.renewals().await.is_empty());
        let now = world.now();
        world.advise(now - HOUR, now + DAY * 3);
        world.pass(DAY + HOUR).await;
        assert_eq!(world.renewals().await.len(), 1);
        let event = world.events(AuditAction::RenewalAdvised).await.pop().unwrap();
        assert_eq!(event.details["explanation_url"], "https://ca.scripted.test/why");
    });
}

#[test]
fn a5_a_window_far_in_the_future_delays_nothing() {
    block_on(async {
        let world = World::new(true).await;
        let before = world.certificate().await;
        let far = world.now() + DAY * 3_000;
        world.ca.then_advise(std::iter::repeat_n(
            AdviceStep::Window { start: far, end: far + DAY, retry_after: None },
            10_000,
        ));
        world.pass(DAY * 5).await;
        let after = world.certificate().await;
        assert_eq!((after.renew_at, after.version()), (before.renew_at, before.version()), "the policy decides");
        world.pass(before.renew_at.since(world.now()) + HOUR).await;
        assert_eq!(world.renewals().await.len(), 1);
    });
}

#[test]
fn a6_the_drawn_moment_is_told_and_everything_else_follows_from_it() {
    block_on(async {
        let world = World::new(true).await;
        let start = world.now() + DAY * 20;
        world.ca.then_advise(std::iter::repeat_n(
            AdviceStep::Window { start, end: start + DAY * 5, retry_after: None },
            10_000,
        ));
        world.pass(DAY).await;
        let (advice, certificate) = (world.advice().await, world.certificate().await);
        let selected = advice.selected_at.unwrap();
        assert!(selected >= start && selected <= start + DAY * 5);
        assert_eq!((certificate.renew_at, certificate.expiring_at), (selected, selected));
        let gate = world.gate(GateName::Advice).await.unwrap();
        assert_eq!((gate.verdict, gate.at), (GateVerdict::Waiting, Some(selected)));
        world.pass((selected - HOUR).since(world.now())).await;
        assert_eq!(world.status().await, CertificateStatus::Active);
        world.pass(HOUR * 2).await;
        assert_eq!(world.status().await, CertificateStatus::RenewalInProgress);
    });
}

#[test]
fn a7_a_ca_that_does_not_answer_stops_neither_renewals_nor_loops() {
    for failure in [
        AdviceStep::Fail(ConnectorErrorKind::Unreachable, None),
        AdviceStep::Fail(ConnectorErrorKind::Transient, None),
        AdviceStep::Fail(ConnectorErrorKind::Permanent, None),
        AdviceStep::Garbage,
    ] {
        block_on(async {
            let world = World::new(true).await;
            let start = world.now() + DAY * 40;
            world.advise(start, start + DAY);
            world.pass(HOUR * 3).await;
            let advised = world.advice().await.selected_at;
            assert!(advised.is_some());
            world.ca.then_advise(std::iter::repeat_n(failure, 10_000));
            world.pass(DAY * 30).await;
            let advice = world.advice().await;
            assert_eq!(advice.selected_at, advised, "the last window stays");
            assert!(advice.failures > 3 && advice.last_error.is_some());
            assert!(world.gate(GateName::Advice).await.unwrap().reason.contains("the last question failed"));
            world.pass(DAY * 11).await;
            assert_eq!(world.renewals().await.len(), 1, "and counts");
        });
    }
}

#[test]
fn a7_a_ca_that_never_answers_leaves_it_to_the_policy() {
    block_on(async {
        let world = World::new(true).await;
        world.ca.then_advise(std::iter::repeat_n(AdviceStep::Fail(ConnectorErrorKind::Transient, None), 10_000));
        let renew_at = world.certificate().await.renew_at;
        world.pass(renew_at.since(world.now()) + HOUR).await;
        assert_eq!(world.renewals().await.len(), 1);
    });
}

#[test]
fn a8_the_ca_says_when_to_ask_again_within_a_minute_and_a_day() {
    for (said, least, most) in [(Some(Duration::ZERO), 1_300, 1_442), (Some(DAY * 30), 1, 3), (None, 4, 6)] {
        block_on(async {
            let world = World::new(true).await;
            let start = world.now() + DAY * 50;
            world.ca.then_advise(std::iter::repeat_n(
                AdviceStep::Window { start, end: start + DAY, retry_after: said },
                10_000,
            ));
            world.pass(DAY).await;
            let asked = world.ca.questions().len();
            assert!(asked >= least && asked <= most, "{said:?}: {asked} questions in a day");
            // A restart asks no sooner: when is stored.
            let next = world.advice().await.next_check;
            assert!(next > world.now() && next <= world.now() + DAY);
        });
    }
}

#[test]
fn a9_what_a_ca_suggests_changes_nothing_that_was_asked_for() {
    block_on(async {
        let world = World::new(true).await;
        let start = world.now() + DAY * 20;
        world.advise(start, start + DAY);
        world.pass(HOUR * 2).await;
        let before = world.certificate().await;
        for hours in 1..5 {
            // It moves a little, and still holds the moment that was drawn.
            let shift = Duration::from_secs(hours);
            world.advise(start - shift, start + DAY + shift);
            world.pass(HOUR * 7).await;
        }
        let after = world.certificate().await;
        assert_eq!(world.ca.questions().len(), 5);
        assert_eq!(Certificate::clone(&before), Certificate::clone(&after));
    });
}

#[test]
fn an_issuer_that_says_nothing_costs_nothing() {
    block_on(async {
        let world = World::new(true).await;
        world.pass(HOUR * 3).await;
        assert_eq!(world.all::<RenewalAdvice>().await.len(), 1);
        let questions = world.ca.questions().len();
        let change = certificate::Update {
            id: Some("mc-1".parse().unwrap()),
            issuer_id: Some("iss-mute".parse().unwrap()),
            ..certificate::Update::default()
        };
        world.engine.execute(&me(), change).await.unwrap();
        world.submit().await;
        assert!(world.all::<RenewalAdvice>().await.is_empty(), "what the other one said is forgotten");
        let version = world.newest().await;
        assert_eq!((version.directory.as_deref(), version.account.as_deref()), (None, None));
        assert!(version.lineage_break.as_deref().is_some_and(|why| why.contains("iss-far")));
        world.pass(DAY * 3).await;
        assert_eq!(world.ca.questions().len(), questions);
    });
}

#[test]
fn a_version_that_was_replaced_is_not_asked_about() {
    block_on(async {
        let world = World::new(true).await;
        world.submit().await;
        assert_eq!(world.all::<RenewalAdvice>().await.len(), 2);
        world.pass(DAY).await;
        let left = world.all::<RenewalAdvice>().await;
        assert_eq!((left.len(), &left[0].id), (1, &world.newest().await.id));
        let id = left[0].renewal_info_id.clone();
        assert!(world.ca.questions().iter().all(|question| *question == id));
    });
}

#[test]
fn a_used_up_quota_holds_renewals_back_until_the_ca_said() {
    block_on(async {
        let world = World::new(true).await;
        let renew_at = world.certificate().await.renew_at;
        world.pass((renew_at - HOUR * 3).since(world.now())).await;
        let until = world.now() + HOUR * 12;
        let quota = certctl_core::testing::CaStep::Fail(ConnectorErrorKind::Quota, Some(HOUR * 12));
        world.ca.then([quota]);
        let key = world.fakes.keys.generate(KeyAlgorithm::EcdsaP256, &*world.fakes.rng).await.unwrap();
        let names = SubjectNames::new("mc-1.example.com", &[]).unwrap();
        let csr_pem = pki::csr::build(&names, &*key.signer).await.unwrap().to_pem();
        let submit = certificate::SubmitCsr { id: "mc-1".parse().unwrap(), csr_pem };
        let refused = world.engine.execute(&me(), submit).await.unwrap();
        assert!(matches!(refused, certificate::CsrOutcome::Refused { .. }));
        let gate = world.gate(GateName::Quota).await.unwrap();
        assert_eq!((gate.verdict, gate.at), (GateVerdict::Waiting, Some(until)));
        world.pass(HOUR * 11).await;
        assert!(world.renewals().await.is_empty(), "its moment has come, and the CA would refuse");
        world.pass(HOUR * 4).await;
        assert_eq!(world.renewals().await.len(), 1);
    });
}
