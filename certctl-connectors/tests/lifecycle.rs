//! A certificate's life through the public API: issued for an agent's key, deployed, renewed, deployed again.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use certctl_connectors::Ephemeral;
use certctl_core::Engine;
use certctl_core::agent::{AgentConfig, AgentRuntime, InProcess};
use certctl_core::connector::{
    ConfigError, ConnectorError, DeployError, DeployOutcome, Deployment, ProbePoint, Registry, Target, TargetContext,
    TargetPlugin, TargetSpec,
};
use certctl_core::domain::{CertificateStatus, Fingerprint, JobState, JobType, Principal, TargetId};
use certctl_core::ops::{PageRequest, agent, certificate, issuer, job, target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What was put in service, in order: site, fingerprint, key.
static SERVED: Mutex<Vec<(String, Fingerprint, String)>> = Mutex::new(Vec::new());

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ShelfConfig {
    site: String,
}

/// A target that only remembers.
struct Shelf;

impl TargetSpec for Shelf {
    const KIND: &'static str = "Shelf";
    const DOCS: &'static str = "";
    type Config = ShelfConfig;
    type Valid = String;
    fn validate(config: ShelfConfig) -> Result<String, ConfigError> {
        Ok(config.site)
    }
}

impl TargetPlugin for Shelf {
    fn build(site: String, _: &TargetContext) -> Result<Arc<dyn Target>, ConnectorError> {
        Ok(Arc::new(LiveShelf { site }))
    }
}

#[derive(Debug)]
struct LiveShelf {
    site: String,
}

#[async_trait]
impl Target for LiveShelf {
    async fn recover(&self) -> Result<(), DeployError> {
        Ok(())
    }
    async fn deploy(&self, deployment: Deployment<'_>) -> Result<DeployOutcome, DeployError> {
        let fingerprint = deployment.chain.fingerprint();
        SERVED.lock().unwrap().push((self.site.clone(), fingerprint, deployment.key_pem.expose().to_owned()));
        Ok(DeployOutcome::Deployed { fingerprint })
    }
    fn probe_point(&self) -> Option<ProbePoint> {
        None
    }
}

fn served(site: &str) -> Vec<(Fingerprint, String)> {
    let served = SERVED.lock().unwrap();
    served.iter().filter(|(s, ..)| s == site).map(|(_, print, key)| (*print, key.clone())).collect()
}

async fn engine() -> Engine {
    Engine::ephemeral_with(certctl_connectors::registry().target_spec::<Shelf>()).await.unwrap()
}

async fn agent(engine: &Engine, id: &str, dir: &Path) -> AgentRuntime {
    let registration = agent::Registration {
        id: Some(id.parse().unwrap()),
        name: id.into(),
        hostname: "host".into(),
        ..agent::Registration::default()
    };
    let register = agent::Register { registration, enrol_token: None };
    let id = engine.execute(&Principal::embedder("test"), register).await.unwrap().agent.id;
    let control = Arc::new(InProcess::new(engine.clone(), id.clone()));
    let registry = Registry::new().target::<Shelf>();
    AgentRuntime::start(control, engine.ports().clone(), registry, AgentConfig::new(id, dir)).await.unwrap()
}

async fn shelf(engine: &Engine, agent: &str, site: &str) -> TargetId {
    let create = target::Create {
        id: None,
        name: site.into(),
        kind: "shelf".into(),
        agent_id: agent.parse().unwrap(),
        config: json!({ "site": site }),
        enabled: true,
        client_auth: false,
    };
    engine.execute(&Principal::embedder("test"), create).await.unwrap().id
}

fn certificate(id: &str, targets: Vec<TargetId>) -> certificate::Create {
    certificate::Create {
        id: Some(id.parse().unwrap()),
        name: id.into(),
        common_name: format!("{id}.example.com"),
        sans: vec![format!("www.{id}.example.com")],
        environment: String::new(),
        owner_id: "o-default".parse().unwrap(),
        team_id: "team-default".parse().unwrap(),
        issuer_id: "iss-local".parse().unwrap(),
        renewal_policy_id: "rp-default".parse().unwrap(),
        certificate_profile_id: None,
        target_ids: targets,
        agent_id: None,
        tags: BTreeMap::new(),
        issue: true,
    }
}

async fn view(engine: &Engine, id: &str) -> certificate::CertificateView {
    engine.execute(&Principal::embedder("test"), certificate::Get { id: id.parse().unwrap() }).await.unwrap()
}

#[tokio::test]
async fn a_certificate_lives() {
    let (engine, dir) = (engine().await, tempfile::tempdir().unwrap());
    let me = Principal::embedder("test");
    let agent = agent(&engine, "edge-1", dir.path()).await;
    let target = shelf(&engine, "edge-1", "lives").await;
    let created = engine.execute(&me, certificate("mc-lives", vec![target])).await.unwrap();
    assert_eq!(created.status, CertificateStatus::Pending);

    // The request is answered at once; the deployment follows.
    assert_eq!(agent.step(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(view(&engine, "mc-lives").await.status, CertificateStatus::Active);
    assert_eq!(agent.step(Duration::ZERO).await.unwrap(), 1);
    let first = served("lives");
    let newest = view(&engine, "mc-lives").await.newest.unwrap();
    assert_eq!(first.iter().map(|(print, _)| *print).collect::<Vec<_>>(), [newest.fingerprint_sha256]);
    assert_eq!(agent.step(Duration::ZERO).await.unwrap(), 0);

    let renew = || certificate::Renew { id: "mc-lives".parse().unwrap() };
    let renewing = engine.execute(&me, renew()).await.unwrap();
    assert_eq!(view(&engine, "mc-lives").await.status, CertificateStatus::RenewalInProgress);
    assert_eq!(engine.execute(&me, renew()).await.unwrap_err().code(), "renewal_in_progress");
    agent.step(Duration::ZERO).await.unwrap();
    agent.step(Duration::ZERO).await.unwrap();
    let second = served("lives");
    assert_eq!(second.len(), 2);
    assert_ne!(second[0].0, second[1].0);
    assert_ne!(second[0].1, second[1].1, "a renewal makes a new key");

    let jobs = engine.execute(&me, job::List::default()).await.unwrap().records;
    assert!(jobs.iter().all(|job| job.state == JobState::Completed), "{jobs:?}");
    assert_eq!(jobs.iter().filter(|job| job.kind == JobType::Deployment).count(), 2);
    assert!(jobs.iter().any(|job| job.id == renewing.job_ids[0] && job.kind == JobType::Renewal));
    assert!(view(&engine, "mc-lives").await.certificate.last_deployment_at.is_some());
}

#[tokio::test]
async fn two_agents_hold_two_keys() {
    let (engine, dir) = (engine().await, tempfile::tempdir().unwrap());
    let me = Principal::embedder("test");
    let one = agent(&engine, "edge-a", &dir.path().join("a")).await;
    let two = agent(&engine, "edge-b", &dir.path().join("b")).await;
    let targets = vec![shelf(&engine, "edge-a", "site-a").await, shelf(&engine, "edge-b", "site-b").await];
    engine.execute(&me, certificate("mc-two", targets)).await.unwrap();
    one.step(Duration::ZERO).await.unwrap();
    assert_eq!(view(&engine, "mc-two").await.status, CertificateStatus::Pending, "one of two holders is not enough");
    two.step(Duration::ZERO).await.unwrap();
    assert_eq!(view(&engine, "mc-two").await.status, CertificateStatus::Active);
    one.step(Duration::ZERO).await.unwrap();
    two.step(Duration::ZERO).await.unwrap();
    let (a, b) = (served("site-a"), served("site-b"));
    assert_eq!((a.len(), b.len()), (1, 1));
    assert_ne!(a[0].1, b[0].1, "keys never travel");

    // The renewal of one of them is not that of the certificate.
    let renewing = engine.execute(&me, certificate::Renew { id: "mc-two".parse().unwrap() }).await.unwrap();
    assert_eq!(renewing.job_ids.len(), 2);
    one.step(Duration::ZERO).await.unwrap();
    one.step(Duration::ZERO).await.unwrap();
    assert_eq!(view(&engine, "mc-two").await.status, CertificateStatus::RenewalInProgress);
    assert_eq!((served("site-a").len(), served("site-b").len()), (2, 1));
    two.step(Duration::ZERO).await.unwrap();
    assert_eq!(view(&engine, "mc-two").await.status, CertificateStatus::Active);
    two.step(Duration::ZERO).await.unwrap();
    assert_eq!((one.step(Duration::ZERO).await.unwrap(), two.step(Duration::ZERO).await.unwrap()), (0, 0));

    let both: Vec<(Fingerprint, String)> = [served("site-a"), served("site-b")].concat();
    let certificates: BTreeSet<Fingerprint> = both.iter().map(|(print, _)| *print).collect();
    let keys: BTreeSet<&String> = both.iter().map(|(_, key)| key).collect();
    assert_eq!((both.len(), certificates.len(), keys.len()), (4, 4, 4), "each renewal makes a certificate and a key");
    let jobs = engine.execute(&me, job::List::default()).await.unwrap().records;
    assert!(jobs.iter().all(|job| job.state == JobState::Completed), "{jobs:?}");
    let renewals = jobs.iter().filter(|job| renewing.job_ids.contains(&job.id));
    let holders: BTreeSet<&str> = renewals.map(|job| job.key_holder.as_str()).collect();
    assert_eq!(holders, BTreeSet::from(["edge-a", "edge-b"]));
    assert_eq!(jobs.iter().filter(|job| job.kind == JobType::Deployment).count(), 4);
    let versions = certificate::Versions { id: "mc-two".parse().unwrap(), page: PageRequest::default() };
    let versions = engine.execute(&me, versions).await.unwrap().records;
    for (agent, site) in [("edge-a", "site-a"), ("edge-b", "site-b")] {
        let newest = versions.iter().find(|version| version.key_holder == agent).unwrap();
        assert_eq!(served(site).last().unwrap().0, newest.fingerprint_sha256, "{site} serves the newest of its key");
    }
}

#[tokio::test]
async fn two_engines_in_one_process_do_not_meet() {
    let (one, two) = (engine().await, engine().await);
    let me = Principal::embedder("test");
    one.execute(&me, certificate("mc-apart", vec![])).await.unwrap();
    let missing = two.execute(&me, certificate::Get { id: "mc-apart".parse().unwrap() }).await.unwrap_err();
    assert_eq!(missing.code(), "not_found");
    assert_ne!(one.agent_trust().await.unwrap().fingerprint, two.agent_trust().await.unwrap().fingerprint);
}

/// A renewal that fails leaves the key of the version before it where it is: what is in service can be deployed again.
#[tokio::test]
async fn sf12_a_renewal_that_fails_costs_no_key_that_is_in_service() {
    let (engine, dir) = (engine().await, tempfile::tempdir().unwrap());
    let me = Principal::embedder("test");
    let agent = agent(&engine, "edge-1", dir.path()).await;
    let target = shelf(&engine, "edge-1", "keeps").await;
    engine.execute(&me, certificate("mc-keeps", vec![target.clone()])).await.unwrap();
    agent.step(Duration::ZERO).await.unwrap();
    agent.step(Duration::ZERO).await.unwrap();
    let before = view(&engine, "mc-keeps").await.newest.unwrap();
    let enabled = async |enabled| {
        let update =
            issuer::Update { id: "iss-local".parse().unwrap(), name: None, config: None, enabled: Some(enabled) };
        engine.execute(&me, update).await.unwrap();
    };
    // The renewal begins, and then its issuer is none any more.
    engine.execute(&me, certificate::Renew { id: "mc-keeps".parse().unwrap() }).await.unwrap();
    enabled(false).await;
    for _ in 0..3 {
        let _ = agent.step(Duration::ZERO).await;
    }
    assert_eq!(view(&engine, "mc-keeps").await.newest.unwrap().id, before.id, "nothing was issued");
    let key = dir.path().join("keys").join(format!("{}.pem", before.key_id));
    assert!(key.is_file(), "the key of what is in service is gone: {}", key.display());
    let deploy = certificate::Deploy { id: "mc-keeps".parse().unwrap(), target_id: None };
    engine.execute(&me, deploy).await.unwrap();
    for _ in 0..3 {
        let _ = agent.step(Duration::ZERO).await;
    }
    let deployed = served("keeps");
    assert_eq!(deployed.len(), 2, "it can be deployed again");
    assert_eq!(deployed[0], deployed[1], "the same certificate with the same key");
}
