//! What is left of a retired agent: it hears that it is retired, and is given nothing.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use certctl_core::ErrorKind;
use certctl_core::agent::{AgentConfig, AgentRuntime, InProcess, Stopped};
use certctl_core::connector::Registry;
use certctl_core::domain::{Certificate, Job, JobState, JobType, Version};
use certctl_core::ops::agent::{Heartbeat, Pickup, ReportStatus, ReportedStatus, SubmitCsr, Verify, Work};
use certctl_core::ops::{Operation, agent, certificate, target};
use certctl_core::storage::Query;
use certctl_core::testing::block_on;
use futures_util::FutureExt;

use crate::world::{Shelf, World, edge, forced, me, new_certificate, new_target, retired};

async fn refusal<O: Operation>(world: &World, operation: O) -> (ErrorKind, &'static str) {
    let refused = world.engine.execute(&me(), operation).await.map(drop).unwrap_err();
    (refused.kind(), refused.code())
}

#[test]
fn it_hears_that_it_is_retired_whatever_it_asks() {
    block_on(async {
        let world = World::busy().await;
        let items = world.engine.agent_work(&me(), &edge(), Duration::ZERO).await.unwrap();
        let deployment = items.into_iter().find(|item| item.kind == JobType::Deployment).unwrap();
        retired(world.retire(forced("edge-1")).await.unwrap());
        let heartbeat = Heartbeat {
            agent_id: edge(),
            version: String::new(),
            hostname: String::new(),
            os: String::new(),
            architecture: String::new(),
            ip_address: String::new(),
            target_kinds: vec![],
        };
        let certificate_id = "mc-issued".parse().unwrap();
        let csr_pem = world.csr_pem("mc-issued").await;
        let submit = SubmitCsr { agent_id: edge(), certificate_id, csr_pem };
        let pickup = Pickup { agent_id: edge(), certificate_id: "mc-issued".parse().unwrap(), version_id: None };
        let status = ReportedStatus::Completed;
        let report = ReportStatus { agent_id: edge(), job_id: deployment.id.clone(), status, error: None };
        let verify = Verify {
            job_id: deployment.id.clone(),
            target_id: "t-1".parse().unwrap(),
            expected_fingerprint: String::new(),
            actual_fingerprint: String::new(),
            verified: false,
            error: Some("nothing".into()),
        };
        let gone = (ErrorKind::Gone, "agent_retired");
        assert_eq!(refusal(&world, heartbeat).await, gone);
        assert_eq!(refusal(&world, Work { agent_id: edge() }).await, gone);
        assert_eq!(refusal(&world, submit).await, gone);
        assert_eq!(refusal(&world, pickup).await, gone);
        assert_eq!(refusal(&world, report).await, gone);
        assert_eq!(refusal(&world, verify).await, gone);
        let job = world.get::<Job>(deployment.id.as_str()).await;
        assert_eq!((job.state, job.verified_at), (JobState::Cancelled, None));
    });
}

#[test]
fn whoever_waits_for_work_is_told_at_once() {
    block_on(async {
        let world = World::new().await;
        let principal = me();
        let id = edge();
        let mut waiting = pin!(world.engine.agent_work(&principal, &id, Duration::from_secs(50)));
        assert!(waiting.as_mut().now_or_never().is_none());
        retired(world.retire(forced("edge-1")).await.unwrap());
        // No time passes here.
        let told = waiting.now_or_never().unwrap().unwrap_err();
        assert_eq!(told.kind(), ErrorKind::Gone);
    });
}

#[test]
fn the_runtime_stops_for_good() {
    block_on(async {
        let world = World::new().await;
        let control = Arc::new(InProcess::new(world.engine.clone(), edge()));
        let config = AgentConfig::new(edge(), "/var/lib/certctl");
        let registry = Registry::new().target::<Shelf>();
        let agent = AgentRuntime::start(control, world.fakes.ports(), registry, config).await.unwrap();
        let mut running = pin!(agent.run_until(std::future::pending()));
        assert!(running.as_mut().now_or_never().is_none());
        retired(world.retire(forced("edge-1")).await.unwrap());
        assert_eq!(running.await, Stopped::Retired);
        assert_eq!(
            agent.run_until(std::future::pending()).await,
            Stopped::Retired,
            "and at once when it is started again"
        );
    });
}

#[test]
fn nothing_new_is_given_to_it() {
    block_on(async {
        let world = World::busy().await;
        retired(world.retire(forced("edge-1")).await.unwrap());
        let invalid = |refused: certctl_core::Error| (refused.kind(), refused.fields()[0].code);
        let refused = world.create_target("t-3", "edge-1").await.unwrap_err();
        assert_eq!(invalid(refused), (ErrorKind::Invalid, "agent_retired"));
        let refused = world.create_certificate("mc-new", &[], Some("edge-1")).await.unwrap_err();
        assert_eq!(invalid(refused), (ErrorKind::Invalid, "unknown_reference"));
        let refused = world.create_certificate("mc-new", &["t-1"], None).await.unwrap_err();
        assert_eq!(invalid(refused), (ErrorKind::Invalid, "unknown_reference"));
        let id: Option<certctl_core::domain::CertificateId> = Some("mc-issued".parse().unwrap());
        let to_agent =
            certificate::Update { id: id.clone(), agent_id: Some(Some(edge())), ..certificate::Update::default() };
        assert_eq!(refusal(&world, to_agent).await.0, ErrorKind::Invalid);
        let target_ids = Some(vec!["t-2".parse().unwrap()]);
        let to_target = certificate::Update { id, target_ids, ..certificate::Update::default() };
        assert_eq!(refusal(&world, to_target).await.0, ErrorKind::Invalid);

        let renew = certificate::Renew { id: "mc-issued".parse().unwrap() };
        assert_eq!(refusal(&world, renew).await, (ErrorKind::Conflict, "no_key_holder"));
        let deploy = certificate::Deploy { id: "mc-issued".parse().unwrap(), target_id: None };
        assert_eq!(refusal(&world, deploy).await, (ErrorKind::Conflict, "no_targets"));
        let update = target::Update {
            id: "t-1".parse().unwrap(),
            name: None,
            config: None,
            agent_id: None,
            enabled: Some(true),
            client_auth: None,
        };
        assert_eq!(refusal(&world, update).await, (ErrorKind::Conflict, "target_retired"));
        assert_eq!(world.belongings("edge-1").await, (0, 0));
    });
}

#[test]
fn a_renewal_that_is_due_is_offered_to_no_agent_and_taken_from_whoever_has_the_key() {
    block_on(async {
        let world = World::busy().await;
        retired(world.retire(forced("edge-1")).await.unwrap());
        world.renewal("mc-issued").await;
        let of = Job::FIELDS.kind.equals(JobType::Renewal);
        let jobs = world.all(Query::<Job>::all().filter(of)).await;
        assert_eq!(jobs.len(), 1);
        assert_eq!((jobs[0].state, jobs[0].agent_id.clone()), (JobState::AwaitingCsr, None));
        let csr_pem = world.csr_pem("mc-issued").await;
        let submit = certificate::SubmitCsr { id: "mc-issued".parse().unwrap(), csr_pem };
        world.engine.execute(&me(), submit).await.unwrap();
        assert_eq!(world.get::<Job>(jobs[0].id.as_str()).await.state, JobState::Completed);
        assert_eq!(world.belongings("edge-1").await, (0, 0));
    });
}

#[test]
fn the_other_key_holders_of_a_certificate_go_on_without_it() {
    block_on(async {
        let world = World::new().await;
        world.agent("edge-2").await;
        world.engine.execute(&me(), new_target("t-1", "edge-1")).await.unwrap();
        world.engine.execute(&me(), new_target("t-2", "edge-2")).await.unwrap();
        world.engine.execute(&me(), new_certificate("mc-1", &["t-1", "t-2"], None)).await.unwrap();
        for agent in ["edge-1", "edge-2"] {
            world.issue("mc-1", agent).await;
        }
        retired(world.retire(forced("edge-1")).await.unwrap());
        assert_eq!(world.belongings("edge-2").await, (1, 1));
        world.renewal("mc-1").await;
        world.issue("mc-1", "edge-2").await;
        let certificate = world.get::<Certificate>("mc-1").await;
        assert!(!certificate.renewing);
        // The version of the retired agent ends first, and that does not matter any more.
        let newest = world.all(Query::sorted(Version::FIELDS.created_at.descending())).await;
        assert_eq!(certificate.expires_at, newest[0].not_after);
        assert_eq!(world.belongings("edge-1").await, (0, 0));
    });
}

#[test]
fn the_names_of_places_are_no_ids_of_agents() {
    block_on(async {
        let world = World::new().await;
        for id in ["retired", "enrol-tokens"] {
            let registration = agent::Registration {
                id: Some(id.parse().unwrap()),
                name: "a".into(),
                hostname: "h".into(),
                ..agent::Registration::default()
            };
            let register = agent::Register { registration, enrol_token: None };
            assert_eq!(refusal(&world, register).await.0, ErrorKind::Invalid, "{id}");
        }
    });
}
