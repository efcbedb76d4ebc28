//! The engine over fakes: orders that wait and fail, notices that are not delivered, and time that passes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod alerts;
mod enrol;
mod revocation;
mod short_lived;
mod silent_failures;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use certctl_core::Engine;
use certctl_core::connector::{ConnectorErrorKind, Registry};
use certctl_core::domain::{
    CertificateStatus, Job, JobState, Notification, NotificationState, NotificationType, Principal, Role, SCHEMAS,
    Severity, SubjectNames, Version,
};
use certctl_core::engine::{NotifierConfig, Route, SetupSecret};
use certctl_core::entity::Record;
use certctl_core::ops::{PageRequest, certificate, issuer, job, key, owner, profile};
use certctl_core::pki;
use certctl_core::ports::Clock;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{MemoryStorage, Query, View};
use certctl_core::testing::{CaStep, FakePorts, NoticeBoard, RecordingNotifier, ScriptedCa, ScriptedIssuer, block_on};
use serde_json::{Value, json};

struct World {
    fakes: FakePorts,
    engine: Engine,
    ca: ScriptedCa,
    board: NoticeBoard,
}

fn me() -> Principal {
    Principal::embedder("test")
}

async fn world(seed: u64) -> World {
    world_that_tells(seed, &[("board", json!({}))], &[]).await
}

/// A world with these boards, by name and configuration; all pin to one.
async fn world_that_tells(seed: u64, boards: &[(&str, Value)], routes: &[Route]) -> World {
    let fakes = FakePorts::seeded(seed);
    let ports = fakes.ports();
    let ca = ScriptedCa::new(seed, ports.clock.now());
    ca.attach(&fakes.http);
    let board = NoticeBoard::new();
    board.attach(&fakes.http);
    let storage = Arc::new(MemoryStorage::new(SCHEMAS, ports.clock.clone()));
    let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
    let registry = Registry::new().issuer::<ScriptedIssuer>().notifier::<RecordingNotifier>();
    let mut builder = Engine::builder(storage, ports, secret).connectors(registry);
    for (name, config) in boards {
        let (name, kind, config) = ((*name).to_owned(), "Recording".to_owned(), config.clone());
        builder = builder.notifier(NotifierConfig { name, kind, config });
    }
    for route in routes {
        builder = builder.route(route.clone());
    }
    let engine = builder.build().await.unwrap();
    let create = issuer::Create {
        id: Some("iss-far".parse().unwrap()),
        name: "far".into(),
        kind: "Scripted".into(),
        config: json!({ "url": ScriptedCa::URL, "token": "t", "immediate": false }),
        enabled: true,
    };
    engine.execute(&me(), create).await.unwrap();
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
    engine.execute(&me(), create).await.unwrap();
    World { fakes, engine, ca, board }
}

impl World {
    /// Creates a certificate and sends a request for it.
    async fn order(&self, id: &str) -> certificate::CsrOutcome {
        let create = certificate::Create {
            id: Some(id.parse().unwrap()),
            name: id.into(),
            common_name: format!("{id}.example.com"),
            sans: vec![],
            environment: String::new(),
            owner_id: "o-default".parse().unwrap(),
            team_id: "team-default".parse().unwrap(),
            issuer_id: "iss-far".parse().unwrap(),
            renewal_policy_id: "rp-default".parse().unwrap(),
            certificate_profile_id: Some("prof-server".parse().unwrap()),
            target_ids: vec![],
            agent_id: None,
            tags: BTreeMap::new(),
            issue: true,
        };
        self.engine.execute(&me(), create).await.unwrap();
        self.submit(id).await
    }

    async fn submit(&self, id: &str) -> certificate::CsrOutcome {
        let ports = self.engine.ports();
        let key = ports.keys.generate(certctl_core::domain::KeyAlgorithm::EcdsaP256, &*ports.rng).await.unwrap();
        let names = SubjectNames::new(&format!("{id}.example.com"), &[]).unwrap();
        let csr_pem = pki::csr::build(&names, &*key.signer).await.unwrap().to_pem();
        let submit = certificate::SubmitCsr { id: id.parse().unwrap(), csr_pem };
        self.engine.execute(&me(), submit).await.unwrap()
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
            // What waits for time within a task, such as a lease or a layer, is woken on the way.
            let wake = clock.next_deadline().map_or(left, |deadline| clock.monotonic().until(deadline));
            clock.advance(due.min(wake).max(Duration::from_millis(10)).min(left));
        }
    }

    async fn status(&self, id: &str) -> CertificateStatus {
        self.engine.execute(&me(), certificate::Get { id: id.parse().unwrap() }).await.unwrap().status
    }

    async fn newest(&self, id: &str) -> Record<Version> {
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        let of = Query::sorted(Version::FIELDS.created_at.descending())
            .filter(Version::FIELDS.certificate_id.equals(id.parse().unwrap()));
        view.first(of).await.unwrap().unwrap()
    }

    async fn jobs(&self) -> Vec<Record<Job>> {
        self.engine.execute(&me(), job::List::default()).await.unwrap().records
    }

    async fn notifications(&self) -> Vec<Record<Notification>> {
        self.engine.storage().read(View::Latest).await.unwrap().list(Query::all()).await.unwrap().records
    }
}

#[test]
fn a_key_of_role_agent_acts_for_the_agent_of_its_name_alone() {
    block_on(async {
        let world = world(6).await;
        let key = |name: &str| key::Create { id: None, name: name.into(), role: Role::Agent, expires_at: None };
        let named = world.engine.execute(&me(), key("edge-1")).await.unwrap();
        let principal = world.engine.authenticate(named.key.expose()).await.unwrap();
        assert_eq!(principal.agent, Some("edge-1".parse().unwrap()));
        let nobodys = world.engine.execute(&me(), key("any agent")).await.unwrap();
        assert_eq!(world.engine.authenticate(nobodys.key.expose()).await.unwrap_err().code(), "unauthenticated");
    });
}

#[test]
fn an_order_that_waits_is_resumed_and_told_once() {
    block_on(async {
        let world = world(1).await;
        world.ca.then([CaStep::Wait(Duration::from_secs(30)), CaStep::Wait(Duration::from_secs(30)), CaStep::Issue]);
        assert!(matches!(world.order("mc-a").await, certificate::CsrOutcome::Accepted { .. }));
        assert_eq!(world.status("mc-a").await, CertificateStatus::Pending);
        world.pass(Duration::from_secs(120)).await;
        assert_eq!(world.status("mc-a").await, CertificateStatus::Active);
        assert_eq!(world.ca.issued().len(), 1);
        let notices = world.board.notices();
        assert_eq!(notices.iter().map(|notice| notice.event.as_str()).collect::<Vec<_>>(), ["RenewalSuccess"]);
    });
}

/// The notifier and the recipient of each notification, in their order.
async fn told(world: &World) -> Vec<(String, String)> {
    let notifications = world.notifications().await;
    let mut told: Vec<_> = notifications.iter().map(|one| (one.notifier.clone(), one.recipient.clone())).collect();
    told.sort();
    told
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, recipient)| ((*name).to_owned(), (*recipient).to_owned())).collect()
}

#[test]
fn without_routes_the_owner_is_written_to_and_nobody_is_paged_for_a_success() {
    block_on(async {
        let boards = [
            ("mail", json!({ "owner": true })),
            ("list", json!({ "to": ["b@example.com", "a@example.com", "b@example.com"] })),
            ("pager", json!({ "least": "warning" })),
            ("room", json!({})),
        ];
        let world = world_that_tells(11, &boards, &[]).await;
        let change = owner::Update {
            id: "o-default".parse().unwrap(),
            name: None,
            email: Some("owner@example.com".into()),
            team_id: None,
        };
        world.engine.execute(&me(), change).await.unwrap();
        world.ca.then([CaStep::Issue]);
        world.order("mc-a").await;
        world.pass(Duration::from_secs(60)).await;
        let success =
            [("list", "a@example.com"), ("list", "b@example.com"), ("mail", "owner@example.com"), ("room", "")];
        assert_eq!(told(&world).await, pairs(&success));
        assert_eq!(world.board.notices().len(), success.len());
        assert!(world.board.notices().iter().any(|notice| notice.recipient == "owner@example.com"));
        world.ca.then(std::iter::repeat_with(|| CaStep::Fail(ConnectorErrorKind::Permanent, None)).take(9));
        world.order("mc-b").await;
        world.pass(Duration::from_secs(60)).await;
        assert!(told(&world).await.contains(&("pager".to_owned(), String::new())));
        assert_eq!(told(&world).await.len(), 2 * success.len() + 1);
    });
}

#[test]
fn a_route_tells_whom_it_names_and_nobody_else() {
    block_on(async {
        let failures = Route {
            events: vec![NotificationType::RenewalFailure],
            severities: vec![Severity::Critical],
            notifiers: vec!["pager".into(), "room".into()],
        };
        let boards = [("mail", json!({ "owner": true })), ("pager", json!({})), ("room", json!({}))];
        let world = world_that_tells(12, &boards, &[failures]).await;
        world.ca.then([CaStep::Issue]);
        world.order("mc-a").await;
        world.pass(Duration::from_secs(60)).await;
        assert_eq!(world.status("mc-a").await, CertificateStatus::Active);
        assert_eq!(told(&world).await, []);
        world.ca.then(std::iter::repeat_with(|| CaStep::Fail(ConnectorErrorKind::Permanent, None)).take(9));
        world.order("mc-b").await;
        world.pass(Duration::from_secs(60)).await;
        assert_eq!(told(&world).await, pairs(&[("pager", ""), ("room", "")]));
        let severities: Vec<_> = world.notifications().await.iter().map(|one| one.severity).collect();
        assert_eq!(severities, [Severity::Critical, Severity::Critical]);
    });
}

#[test]
fn a_route_to_nobody_is_refused_with_what_was_meant() {
    block_on(async {
        let build = |notifiers: Vec<String>| {
            let ports = FakePorts::seeded(13).ports();
            let storage = Arc::new(MemoryStorage::new(SCHEMAS, ports.clock.clone()));
            let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
            let registry = Registry::new().notifier::<RecordingNotifier>();
            let notifier = NotifierConfig { name: "on-call".into(), kind: "Recording".into(), config: json!({}) };
            let builder = Engine::builder(storage, ports, secret).connectors(registry).notifier(notifier);
            builder.route(Route { notifiers, ..Route::default() }).build()
        };
        let refused = build(vec!["oncall".into()]).await.unwrap_err().to_string();
        assert_eq!(refused, "route 1: there is no notifier `oncall`; did you mean `on-call`?");
        assert!(build(vec![]).await.unwrap_err().to_string().contains("names no notifiers"));
        build(vec!["on-call".into()]).await.unwrap();
    });
}

#[test]
fn a_failing_order_is_retried_with_distance_and_ends_with_a_notice() {
    block_on(async {
        let world = world(2).await;
        // Each attempt asks, and asks twice again within its step.
        world.ca.then(std::iter::repeat_with(|| CaStep::Fail(ConnectorErrorKind::Transient, None)).take(9));
        world.order("mc-b").await;
        world.pass(Duration::from_secs(60)).await;
        let job = world.jobs().await.remove(0);
        assert_eq!((job.state, job.attempts, job.exhausted), (JobState::Failed, 1, false));
        assert_eq!(world.ca.calls().len(), 3);
        // 300 s and 600 s, each give or take a fifth.
        world.pass(Duration::from_secs(1200)).await;
        let job = world.jobs().await.remove(0);
        assert_eq!((job.state, job.attempts, job.exhausted), (JobState::Failed, 3, true));
        assert_eq!(world.status("mc-b").await, CertificateStatus::Failed);
        let notices = world.board.notices();
        assert_eq!(notices.iter().map(|notice| notice.event.as_str()).collect::<Vec<_>>(), ["RenewalFailure"]);
        // It is never given up: another job opens and waits for a request.
        world.pass(Duration::from_secs(2 * 86_400)).await;
        assert!(world.jobs().await.iter().any(|job| job.state == JobState::AwaitingCsr));
        assert_eq!(world.status("mc-b").await, CertificateStatus::RenewalInProgress);
    });
}

#[test]
fn a_failure_that_passes_within_a_step_costs_no_attempt() {
    block_on(async {
        let world = world(8).await;
        world.ca.then([CaStep::LoseAnswer, CaStep::Fail(ConnectorErrorKind::Unreachable, None)]);
        world.order("mc-g").await;
        world.pass(Duration::from_secs(10)).await;
        let job = world.jobs().await.remove(0);
        assert_eq!((job.state, job.attempts), (JobState::Completed, 1));
        assert_eq!((world.ca.calls().len(), world.ca.issued().len()), (3, 1), "one order, one certificate");
    });
}

#[test]
fn a_renewal_names_what_it_replaces() {
    block_on(async {
        let world = world(7).await;
        world.order("mc-f").await;
        world.pass(Duration::from_secs(10)).await;
        assert!(world.ca.replaced().is_empty(), "a first issuance replaces nothing");
        for renewal in 1..=2 {
            let before = world.newest("mc-f").await;
            world.submit("mc-f").await;
            world.pass(Duration::from_secs(10)).await;
            let job = world.jobs().await.into_iter().find(|job| job.version_id != Some(before.id.clone())).unwrap();
            let newest = world.newest("mc-f").await;
            assert_eq!(job.version_id, Some(newest.id.clone()));
            assert_eq!(world.ca.replaced().len(), renewal);
            assert_eq!(world.ca.replaced()[job.id.as_str()], before.serial_number);
        }
    });
}

#[test]
fn a_certificate_that_does_not_fit_is_never_stored() {
    block_on(async {
        let world = world(3).await;
        world.ca.then([CaStep::WrongNames, CaStep::WrongNames, CaStep::WrongNames]);
        world.order("mc-c").await;
        world.pass(Duration::from_secs(3_600)).await;
        assert_ne!(world.status("mc-c").await, CertificateStatus::Active);
        let versions = certificate::Versions { id: "mc-c".parse().unwrap(), page: PageRequest::default() };
        assert!(world.engine.execute(&me(), versions).await.unwrap().records.is_empty());
        let job = world.jobs().await.remove(0);
        assert!(job.last_error.as_deref().is_some_and(|error| error.contains("does not fit")), "{:?}", job.last_error);
    });
}

#[test]
fn a_notice_that_is_never_taken_dies_after_the_fifth_attempt() {
    block_on(async {
        let world = world(4).await;
        for _ in 0..5 {
            world.board.fail_next(ConnectorErrorKind::Permanent, None);
        }
        world.ca.then([CaStep::Issue]);
        world.order("mc-d").await;
        world.pass(Duration::from_secs(10)).await;
        let mut failures = Vec::new();
        for minutes in [0, 2, 4, 8, 16] {
            world.pass(Duration::from_secs(minutes * 60 + 11)).await;
            let notification = world.notifications().await.remove(0);
            failures.push((notification.retry_count, notification.state));
        }
        let failed = NotificationState::Failed;
        assert_eq!(failures, [(1, failed), (2, failed), (3, failed), (4, failed), (5, NotificationState::Dead)]);
        world.pass(Duration::from_secs(86_400)).await;
        let notification = world.notifications().await.remove(0);
        assert_eq!((notification.retry_count, notification.state), (5, NotificationState::Dead));
        assert!(notification.last_error.is_some(), "the last error is kept");
        assert!(world.board.notices().is_empty());
    });
}

#[test]
fn a_certificate_without_a_key_holder_says_how_to_renew_it() {
    block_on(async {
        let world = world(5).await;
        world.ca.then([CaStep::Issue, CaStep::Issue]);
        world.order("mc-e").await;
        world.pass(Duration::from_secs(30)).await;
        let renew = certificate::Renew { id: "mc-e".parse().unwrap() };
        let refused = world.engine.execute(&me(), renew).await.unwrap_err();
        assert_eq!(refused.code(), "no_key_holder");
        assert!(refused.message().contains("csr"), "{refused}");
        world.submit("mc-e").await;
        world.pass(Duration::from_secs(30)).await;
        assert_eq!(world.ca.issued().len(), 2);
        assert_eq!(world.status("mc-e").await, CertificateStatus::Active);
    });
}
