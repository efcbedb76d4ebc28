//! A target that is given to another agent: what is on it moves with it, and each agent has keys of its own.

use certctl_core::domain::{
    Agent, AuditAction, Certificate, CertificateTarget, Job, JobState, JobType, TargetRecord, Version,
};
use certctl_core::ops::{issuer, target};
use certctl_core::storage::Query;
use certctl_core::testing::block_on;
use certctl_core::{Engine, Error};

use crate::world::{World, forced, me, new_certificate, retired};

fn to(agent: &str) -> target::Update {
    let (id, agent_id) = ("t-1".parse().unwrap(), Some(agent.parse().unwrap()));
    target::Update { id, name: None, config: None, agent_id, enabled: None, client_auth: None }
}

async fn give(engine: &Engine, agent: &str) -> Result<TargetRecord, Error> {
    engine.execute(&me(), to(agent)).await
}

/// An agent more.
async fn busy() -> World {
    let world = World::busy().await;
    world.agent("edge-2").await;
    world
}

/// Certificate, kind and state of the jobs of an agent that are open.
async fn open(world: &World, agent: &str) -> Vec<(String, JobType, JobState)> {
    let of = Query::all().filter(Job::FIELDS.agent_id.equals(Some(agent.parse().unwrap())));
    let open = world.all::<Job>(of).await.into_iter().filter(|job| job.is_open());
    let mut open: Vec<_> = open.map(|job| (job.certificate_id.to_string(), job.kind, job.state)).collect();
    open.sort();
    open
}

/// The agents of the mappings to the target.
async fn served_by(world: &World) -> Vec<(String, String)> {
    let of = Query::all().filter(CertificateTarget::FIELDS.target_id.equals("t-1".parse().unwrap()));
    let found = world.all::<CertificateTarget>(of).await;
    let mut all: Vec<_> = found.iter().map(|one| (one.certificate_id.to_string(), one.agent_id.to_string())).collect();
    all.sort();
    all
}

fn waiting(id: &str, kind: JobType) -> (String, JobType, JobState) {
    (id.to_owned(), kind, JobState::AwaitingCsr)
}

#[test]
fn the_new_agent_makes_keys_and_the_old_one_has_nothing_to_do() {
    block_on(async {
        let world = busy().await;
        assert_eq!(open(&world, "edge-1").await.len(), 3);
        assert_eq!(give(&world.engine, "edge-2").await.unwrap().agent_id.as_str(), "edge-2");
        // What it holds without a target stays with it.
        assert_eq!(open(&world, "edge-1").await, [waiting("mc-held", JobType::Issuance)]);
        let expected = [waiting("mc-issued", JobType::Renewal), waiting("mc-pending", JobType::Issuance)];
        assert_eq!(open(&world, "edge-2").await, expected);
        let all = ["mc-archived", "mc-issued", "mc-pending"].map(|id| (id.to_owned(), "edge-2".to_owned()));
        assert_eq!(served_by(&world).await, all);
        let cancelled = world.all::<Job>(Query::all().filter(Job::FIELDS.state.equals(JobState::Cancelled))).await;
        let why = |job: &Job| job.last_error.as_deref() == Some("target t-1 went to agent edge-2");
        assert_eq!(cancelled.iter().filter(|job| why(job)).count(), 2);
        assert!(world.get::<Certificate>("mc-issued").await.renewing);

        world.issue("mc-issued", "edge-2").await;
        world.issue("mc-pending", "edge-2").await;
        let deployment = |id: &str| (id.to_owned(), JobType::Deployment, JobState::Pending);
        assert_eq!(open(&world, "edge-2").await, [deployment("mc-issued"), deployment("mc-pending")]);
        for id in ["mc-issued", "mc-pending"] {
            let certificate = world.get::<Certificate>(id).await;
            let version = world.get::<Version>(certificate.newest_version_id.as_ref().unwrap().as_str()).await;
            assert_eq!((version.key_holder.as_str(), certificate.renewing), ("edge-2", false));
            assert_eq!(certificate.expires_at, version.not_after);
        }
        let events = world.events(AuditAction::TargetUpdated).await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].details.0["agent_id"], serde_json::json!({ "from": "edge-1", "to": "edge-2" }));
        assert!(world.get::<Agent>("edge-1").await.retiring_until.is_none());
        // The same agent again is no move.
        give(&world.engine, "edge-2").await.unwrap();
        assert_eq!(open(&world, "edge-2").await.len(), 2);
    });
}

#[test]
fn an_agent_that_has_a_key_of_the_certificate_deploys_what_it_has() {
    block_on(async {
        let world = World::new().await;
        world.agent("edge-2").await;
        world.create_target("t-1", "edge-1").await.unwrap();
        world.create_target("t-2", "edge-2").await.unwrap();
        world.create_certificate("mc-both", &["t-1", "t-2"], None).await.unwrap();
        world.issue("mc-both", "edge-2").await;
        // The first agent has not sent its request: the certificate waits for it alone.
        assert!(world.get::<Certificate>("mc-both").await.renewing);
        give(&world.engine, "edge-2").await.unwrap();
        assert_eq!(open(&world, "edge-1").await, []);
        let deployment = ("mc-both".to_owned(), JobType::Deployment, JobState::Pending);
        assert_eq!(open(&world, "edge-2").await, [deployment.clone(), deployment]);
        let certificate = world.get::<Certificate>("mc-both").await;
        let version = world.all::<Version>(Query::all()).await.remove(0);
        assert_eq!((certificate.renewing, certificate.lifecycle.name()), (false, "Issued"));
        assert_eq!(certificate.expires_at, version.not_after);
        assert!(certificate.renew_at < version.not_after);
        // It renews with one job.
        world.renewal("mc-both").await;
        let renewals = open(&world, "edge-2").await.into_iter().filter(|(_, kind, _)| *kind == JobType::Renewal);
        assert_eq!(renewals.count(), 1);
    });
}

#[test]
fn what_cannot_move_stays_as_it_is() {
    block_on(async {
        let world = busy().await;
        let before = (open(&world, "edge-1").await, served_by(&world).await);
        let unknown = give(&world.engine, "edge-9").await.unwrap_err();
        assert_eq!((unknown.fields()[0].pointer.as_str(), unknown.fields()[0].code), ("/agent_id", "unknown_agent"));
        retired(world.retire(forced("edge-2")).await.unwrap());
        assert_eq!(give(&world.engine, "edge-2").await.unwrap_err().fields()[0].code, "agent_retired");
        world.agent("edge-3").await;
        let off = issuer::Update { id: "iss-near".parse().unwrap(), name: None, config: None, enabled: Some(false) };
        world.engine.execute(&me(), off).await.unwrap();
        let refused = give(&world.engine, "edge-3").await.unwrap_err();
        assert_eq!(refused.code(), "certificate_stays");
        assert!(refused.message().contains("mc-"), "{}", refused.message());
        assert_eq!((open(&world, "edge-1").await, served_by(&world).await), before);
        assert_eq!(open(&world, "edge-3").await, []);
        let agent = world.get::<Agent>("edge-1").await;
        assert!(agent.retiring_until.is_none(), "others may give it something at once");
    });
}

#[test]
fn what_is_put_on_the_target_at_the_same_moment_moves_too_or_is_refused() {
    for commit in 0..2 {
        block_on(async {
            let world = busy().await;
            let (engine, slot) = (world.engine.clone(), std::sync::Arc::new(std::sync::Mutex::new(None)));
            let outcome = slot.clone();
            let deed = async move {
                let put = engine.execute(&me(), new_certificate("mc-9", &["t-1"], None)).await;
                *slot.lock().unwrap() = Some(put.map(drop));
            };
            world.interrupted.gate().before(commit, Box::pin(deed));
            give(&world.slow, "edge-2").await.unwrap();
            assert!(world.interrupted.gate().happened());
            let put = outcome.lock().unwrap().take().unwrap();
            if commit == 0 {
                put.unwrap();
            } else {
                assert_eq!(put.unwrap_err().code(), "agent_retiring");
            }
            assert!(served_by(&world).await.iter().all(|(_, agent)| agent == "edge-2"));
            assert_eq!(served_by(&world).await.len(), if commit == 0 { 4 } else { 3 });
            assert_eq!(open(&world, "edge-1").await, [waiting("mc-held", JobType::Issuance)]);
        });
    }
}

#[test]
fn what_is_issued_at_the_same_moment_is_deployed_by_nobody_else() {
    block_on(async {
        let world = busy().await;
        let csr_pem = world.csr_pem("mc-pending").await;
        let engine = world.engine.clone();
        let deed = async move {
            let (agent_id, certificate_id) = ("edge-1".parse().unwrap(), "mc-pending".parse().unwrap());
            let submit = certctl_core::ops::agent::SubmitCsr { agent_id, certificate_id, csr_pem };
            assert!(engine.execute(&me(), submit).await.is_ok());
        };
        // Right before the move: it comes too late, and begins again.
        world.interrupted.gate().before(1, Box::pin(deed));
        give(&world.slow, "edge-2").await.unwrap();
        assert!(world.interrupted.gate().happened());
        assert_eq!(open(&world, "edge-1").await, [waiting("mc-held", JobType::Issuance)]);
        let expected = [waiting("mc-issued", JobType::Renewal), waiting("mc-pending", JobType::Renewal)];
        assert_eq!(open(&world, "edge-2").await, expected);
    });
}
