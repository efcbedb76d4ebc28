//! Policy rules and approvals where the engine works by itself: renewals that fall due, issuers that answer later, and
//! rules that come and go meanwhile.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::sync::Arc;
use std::time::Duration;

use certctl_core::Engine;
use certctl_core::connector::Registry;
use certctl_core::domain::{
    AuditAction, AuditEvent, CertificateStatus, Job, JobState, JobType, KeyAlgorithm, PolicySeverity, PolicyType,
    PolicyViolation, Principal, SCHEMAS, SubjectNames, Version,
};
use certctl_core::engine::SetupSecret;
use certctl_core::ops::agent::{self, Registration};
use certctl_core::ops::certificate::{self, CsrOutcome};
use certctl_core::ops::{PageRequest, agent_group, issuer, job, policy, profile};
use certctl_core::pki;
use certctl_core::ports::Clock;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{MemoryStorage, Query, View};
use certctl_core::testing::{CaStep, FakePorts, ScriptedCa, ScriptedIssuer, block_on};
use serde_json::{Value, json};

struct World {
    fakes: FakePorts,
    engine: Engine,
    ca: ScriptedCa,
}

const HOUR: Duration = Duration::from_secs(3_600);

fn asker() -> Principal {
    Principal::embedder("asker")
}

fn approver() -> Principal {
    Principal::embedder("approver")
}

fn new_rule(id: &str, kind: PolicyType, config: Value, enforce: bool) -> policy::Create {
    policy::Create {
        id: Some(id.parse().unwrap()),
        name: id.into(),
        kind,
        config,
        enabled: true,
        severity: PolicySeverity::Error,
        enforce,
        agent_group_id: None,
    }
}

/// A group that has the one agent or, disabled, nobody.
async fn group(world: &World, agent: &str) {
    let create = agent_group::Create {
        id: Some("g-edge".parse().unwrap()),
        name: "edge".into(),
        include_agent_ids: vec![agent.parse().unwrap()],
        enabled: false,
        ..agent_group::Create::default()
    };
    world.engine.execute(&asker(), create).await.unwrap();
}

async fn enable_group(world: &World, enabled: bool) {
    let update = agent_group::Update {
        id: "g-edge".parse().unwrap(),
        name: None,
        description: None,
        match_os: None,
        match_architecture: None,
        match_ip_cidr: None,
        match_version: None,
        include_agent_ids: None,
        exclude_agent_ids: None,
        enabled: Some(enabled),
    };
    world.engine.execute(&asker(), update).await.unwrap();
}

impl World {
    /// An issuer that answers later, and a profile of which issuances are approved or not.
    async fn new(seed: u64, requires_approval: bool) -> Self {
        let fakes = FakePorts::seeded(seed);
        let ports = fakes.ports();
        let ca = ScriptedCa::new(seed, ports.clock.now());
        ca.attach(&fakes.http);
        let storage = Arc::new(MemoryStorage::new(SCHEMAS, ports.clock.clone()));
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let registry = Registry::new().issuer::<ScriptedIssuer>();
        let engine = Engine::builder(storage, ports, secret).connectors(registry).build().await.unwrap();
        let create = issuer::Create {
            id: Some("iss-far".parse().unwrap()),
            name: "far".into(),
            kind: "Scripted".into(),
            config: json!({ "url": ScriptedCa::URL, "token": "t", "immediate": false }),
            enabled: true,
        };
        engine.execute(&asker(), create).await.unwrap();
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
            requires_approval,
            enabled: true,
        };
        engine.execute(&asker(), create).await.unwrap();
        Self { fakes, engine, ca }
    }

    /// Another process over the same store.
    async fn other_engine(&self) -> Engine {
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let builder = Engine::builder(self.engine.storage().clone(), self.fakes.ports(), secret);
        builder.connectors(Registry::new().issuer::<ScriptedIssuer>()).build().await.unwrap()
    }

    async fn certificate(&self, id: &str, agent_id: Option<&str>, issue: bool) {
        let create = certificate::Create {
            id: Some(id.parse().unwrap()),
            issuer_id: "iss-far".parse().unwrap(),
            certificate_profile_id: Some("prof-server".parse().unwrap()),
            agent_id: agent_id.map(|id| id.parse().unwrap()),
            issue,
            ..certificate::Create::new(id, format!("{id}.example.com"))
        };
        self.engine.execute(&asker(), create).await.unwrap();
    }

    async fn agent(&self, id: &str) {
        let id = Some(id.parse().unwrap());
        let registration = Registration { id, name: "edge".into(), hostname: "h".into(), ..Registration::default() };
        self.engine.execute(&asker(), agent::Register { registration, enrol_token: None }).await.unwrap();
    }

    async fn csr(&self, id: &str) -> String {
        let ports = self.engine.ports();
        let key = ports.keys.generate(KeyAlgorithm::EcdsaP256, &*ports.rng).await.unwrap();
        let names = SubjectNames::new(&format!("{id}.example.com"), &[]).unwrap();
        pki::csr::build(&names, &*key.signer).await.unwrap().to_pem()
    }

    async fn submit(&self, id: &str) -> CsrOutcome {
        let submit = certificate::SubmitCsr { id: id.parse().unwrap(), csr_pem: self.csr(id).await };
        self.engine.execute(&asker(), submit).await.unwrap()
    }

    async fn rule(&self, id: &str, kind: PolicyType, config: Value, enforce: bool) {
        self.engine.execute(&asker(), new_rule(id, kind, config, enforce)).await.unwrap();
    }

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

    async fn status(&self, id: &str) -> CertificateStatus {
        self.engine.execute(&asker(), certificate::Get { id: id.parse().unwrap() }).await.unwrap().status
    }

    /// The newest job.
    async fn job(&self) -> Job {
        self.engine.execute(&asker(), job::List::default()).await.unwrap().records.remove(0).into_entity()
    }

    async fn violations(&self, rule: &str) -> Vec<PolicyViolation> {
        let list = policy::Violations { id: rule.parse().unwrap(), page: PageRequest::default() };
        let found = self.engine.execute(&asker(), list).await.unwrap().records;
        found.into_iter().map(certctl_core::entity::Record::into_entity).collect()
    }

    async fn versions(&self) -> usize {
        self.engine
            .storage()
            .read(View::Latest)
            .await
            .unwrap()
            .list(Query::<Version>::all())
            .await
            .unwrap()
            .records
            .len()
    }

    async fn audited(&self, action: AuditAction) -> Vec<AuditEvent> {
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        let of = Query::<AuditEvent>::all().filter(AuditEvent::FIELDS.action.equals(action));
        view.list(of).await.unwrap().records.into_iter().map(certctl_core::entity::Record::into_entity).collect()
    }

    async fn approve(&self, job: &Job, by: &Principal) -> Result<(), certctl_core::Error> {
        self.engine.execute(by, job::Approve { id: job.id.clone() }).await
    }
}

#[test]
fn an_enforcing_rule_that_comes_while_an_order_waits_ends_it() {
    block_on(async {
        let world = World::new(1, false).await;
        world.ca.then([CaStep::Wait(Duration::from_secs(30)), CaStep::Issue]);
        world.certificate("mc-a", None, true).await;
        assert!(matches!(world.submit("mc-a").await, CsrOutcome::Accepted { .. }));
        world.pass(Duration::from_secs(10)).await;
        world.rule("pr-env", PolicyType::AllowedEnvironments, json!({ "allowed": ["production"] }), true).await;
        world.pass(Duration::from_secs(120)).await;
        let job = world.job().await;
        assert_eq!((job.state, job.attempts, job.exhausted), (JobState::Failed, 1, true), "it is not tried again");
        assert!(job.last_error.is_some_and(|error| error.contains("pr-env")));
        assert_eq!((world.status("mc-a").await, world.versions().await), (CertificateStatus::Failed, 0));
        assert_eq!(world.violations("pr-env").await.len(), 1);
        assert_eq!(world.audited(AuditAction::PolicyViolationDetected).await.len(), 1);
    });
}

#[test]
fn a_rule_for_a_group_is_decided_by_who_is_in_it_when_the_issuer_is_asked() {
    block_on(async {
        let world = World::new(9, false).await;
        world.agent("edge-1").await;
        group(&world, "edge-1").await;
        let rule = new_rule("pr-env", PolicyType::AllowedEnvironments, json!({ "allowed": ["production"] }), true);
        let rule = policy::Create { agent_group_id: Some("g-edge".parse().unwrap()), ..rule };
        world.engine.execute(&asker(), rule).await.unwrap();
        for (id, member, ends) in
            [("mc-a", false, CertificateStatus::Active), ("mc-b", true, CertificateStatus::Failed)]
        {
            world.ca.then([CaStep::Wait(Duration::from_secs(30)), CaStep::Issue]);
            enable_group(&world, false).await;
            world.certificate(id, Some("edge-1"), true).await;
            let submit = agent::SubmitCsr {
                agent_id: "edge-1".parse().unwrap(),
                certificate_id: id.parse().unwrap(),
                csr_pem: world.csr(id).await,
            };
            world.engine.execute(&Principal::agent("edge-1".parse().unwrap()), submit).await.unwrap();
            world.pass(Duration::from_secs(10)).await;
            assert!(world.violations("pr-env").await.is_empty());
            enable_group(&world, member).await;
            world.pass(Duration::from_secs(120)).await;
            assert_eq!(world.status(id).await, ends, "{id}");
        }
        assert_eq!(world.violations("pr-env").await.len(), 1);
        // Whoever left the group violates nothing: that is seen at the next change.
        enable_group(&world, false).await;
        let update = certificate::Update {
            id: Some("mc-b".parse().unwrap()),
            name: Some("b".into()),
            ..certificate::Update::default()
        };
        world.engine.execute(&asker(), update).await.unwrap();
        assert!(world.violations("pr-env").await.is_empty());
        assert_eq!(world.audited(AuditAction::PolicyViolationResolved).await.len(), 1);
    });
}

#[test]
fn what_an_issuer_made_too_long_lived_is_not_recorded_where_a_rule_is_enforced() {
    block_on(async {
        let world = World::new(2, false).await;
        world.rule("pr-life", PolicyType::CertificateLifetime, json!({ "max_days": 1 }), true).await;
        world.ca.then([CaStep::Issue, CaStep::Issue]);
        world.certificate("mc-a", None, true).await;
        world.submit("mc-a").await;
        world.pass(Duration::from_secs(60)).await;
        assert_eq!((world.ca.issued().len(), world.versions().await), (1, 0));
        assert_eq!(world.job().await.state, JobState::Failed);
        // Noted only, it is recorded, and stays noted once however often it is issued.
        let relax =
            policy::Update { id: Some("pr-life".parse().unwrap()), enforce: Some(false), ..policy::Update::default() };
        world.engine.execute(&asker(), relax).await.unwrap();
        let first = world.violations("pr-life").await;
        world.submit("mc-a").await;
        world.pass(Duration::from_secs(60)).await;
        assert_eq!((world.status("mc-a").await, world.versions().await), (CertificateStatus::Active, 1));
        let second = world.violations("pr-life").await;
        assert_eq!((first.len(), second.len()), (1, 1));
        assert_eq!((&first[0].id, first[0].created_at), (&second[0].id, second[0].created_at));
    });
}

#[test]
fn a_rule_that_another_process_deleted_stands_in_nobodys_way() {
    block_on(async {
        let world = World::new(8, false).await;
        let other = world.other_engine().await;
        world.rule("pr-env", PolicyType::AllowedEnvironments, json!({ "allowed": ["production"] }), false).await;
        world.certificate("mc-a", None, true).await;
        assert_eq!(world.violations("pr-env").await.len(), 1);
        other.execute(&asker(), policy::Delete { id: "pr-env".parse().unwrap() }).await.unwrap();
        // Within the second for which the first process keeps the rule.
        world.certificate("mc-b", None, true).await;
        assert_eq!(world.audited(AuditAction::PolicyViolationDetected).await.len(), 1);
    });
}

#[test]
fn without_rules_an_issuance_reads_and_writes_none() {
    block_on(async {
        let world = World::new(3, false).await;
        world.ca.then([CaStep::Issue]);
        world.certificate("mc-a", None, true).await;
        world.submit("mc-a").await;
        world.pass(Duration::from_secs(60)).await;
        assert_eq!(world.status("mc-a").await, CertificateStatus::Active);
        for action in [AuditAction::PolicyViolationDetected, AuditAction::PolicyViolationResolved] {
            assert!(world.audited(action).await.is_empty());
        }
    });
}

#[test]
fn a_renewal_that_the_engine_began_is_approved_by_anybody_else_and_only_once() {
    block_on(async {
        let world = World::new(4, true).await;
        world.agent("edge-1").await;
        world.ca.then([CaStep::Issue, CaStep::Issue]);
        world.certificate("mc-a", Some("edge-1"), true).await;
        let job = world.job().await;
        assert_eq!((job.state, job.requested_by.as_str()), (JobState::AwaitingApproval, "asker"));
        assert_eq!(world.approve(&job, &asker()).await.unwrap_err().code(), "self_approval");
        world.approve(&job, &approver()).await.unwrap();
        assert_eq!(world.approve(&job, &approver()).await.unwrap_err().code(), "not_awaiting_approval");
        let submit = agent::SubmitCsr {
            agent_id: "edge-1".parse().unwrap(),
            certificate_id: "mc-a".parse().unwrap(),
            csr_pem: world.csr("mc-a").await,
        };
        world.engine.execute(&Principal::agent("edge-1".parse().unwrap()), submit).await.unwrap();
        world.pass(Duration::from_secs(60)).await;
        assert_eq!(world.status("mc-a").await, CertificateStatus::Active);

        // Ninety days, of which a third is left.
        while world.status("mc-a").await != CertificateStatus::RenewalInProgress {
            world.pass(24 * HOUR).await;
            assert_ne!(world.status("mc-a").await, CertificateStatus::Expired);
        }
        let renewal = world.job().await;
        assert_eq!((renewal.kind, renewal.state), (JobType::Renewal, JobState::AwaitingApproval));
        assert_eq!(renewal.requested_by, "system");
        assert_eq!(world.approve(&renewal, &Principal::embedder("system")).await.unwrap_err().code(), "self_approval");
        world.approve(&renewal, &asker()).await.unwrap();
        assert_eq!(world.job().await.state, JobState::AwaitingCsr);
        assert_eq!(world.audited(AuditAction::JobApproved).await.len(), 2);
    });
}

#[test]
fn a_request_that_waited_for_approval_is_certified_with_it() {
    block_on(async {
        let world = World::new(5, true).await;
        world.ca.then([CaStep::Issue]);
        world.certificate("mc-a", None, false).await;
        assert!(matches!(world.submit("mc-a").await, CsrOutcome::AwaitingApproval { .. }));
        world.pass(HOUR).await;
        assert!(world.ca.calls().is_empty(), "nobody is asked before");
        let job = world.job().await;
        world.approve(&job, &approver()).await.unwrap();
        world.pass(Duration::from_secs(60)).await;
        assert_eq!(
            (world.job().await.state, world.status("mc-a").await),
            (JobState::Completed, CertificateStatus::Active)
        );
    });
}

#[test]
fn an_approval_that_never_comes_ends_the_job_after_a_week() {
    block_on(async {
        let world = World::new(6, true).await;
        world.certificate("mc-a", None, true).await;
        let job = world.job().await;
        world.pass(167 * HOUR).await;
        assert_eq!(world.job().await.state, JobState::AwaitingApproval);
        world.pass(2 * HOUR).await;
        let ended: Job = {
            let view = world.engine.storage().read(View::Latest).await.unwrap();
            view.get::<Job>(job.id.as_str()).await.unwrap().unwrap().into_entity()
        };
        assert_eq!((ended.state, ended.exhausted), (JobState::Failed, true));
        assert!(ended.last_error.is_some_and(|error| error.contains("approval")));
        assert_eq!(world.approve(&job, &approver()).await.unwrap_err().code(), "not_awaiting_approval");
    });
}

#[test]
fn a_job_of_which_nobody_knows_who_asked_is_decided_by_nobody() {
    block_on(async {
        let world = World::new(7, true).await;
        let create = certificate::Create {
            id: Some("mc-a".parse().unwrap()),
            issuer_id: "iss-far".parse().unwrap(),
            certificate_profile_id: Some("prof-server".parse().unwrap()),
            ..certificate::Create::new("a", "a.example.com")
        };
        world.engine.execute(&Principal::embedder(""), create).await.unwrap();
        let job = world.job().await;
        let refused = world.approve(&job, &approver()).await.unwrap_err();
        assert_eq!((refused.code(), job.requested_by.as_str()), ("self_approval", ""));
        let reject = job::Reject { id: job.id.clone(), reason: None };
        assert_eq!(world.engine.execute(&approver(), reject).await.unwrap_err().code(), "self_approval");
    });
}
