//! A certificate on several targets, the agents that hold its keys, and a renewal policy with waves.

use std::collections::BTreeMap;
use std::time::Duration;

use certctl_core::Engine;
use certctl_core::connector::Registry;
use certctl_core::domain::{
    AuditAction, DeploymentWaves, Job, JobState, JobType, Notification, NotificationType, OnFailure, Rollout,
    RolloutState, TargetId, VersionId,
};
use certctl_core::engine::{NotifierConfig, SetupSecret};
use certctl_core::ops::agent::{ReportStatus, ReportedStatus, Verify, WorkItem};
use certctl_core::ops::{agent, certificate, renewal_policy};
use certctl_core::seal::SealingKey;
use certctl_core::storage::Query;
use certctl_core::testing::{RecordingNotifier, ScriptedIssuer};
use serde_json::{Value, json};

use crate::world::{Shelf, World, me, new_certificate};

pub(crate) const ID: &str = "mc-1";

pub(crate) struct Fleet {
    pub(crate) world: World,
    /// Over the same store as the engines of the world; this one tells people.
    pub(crate) engine: Engine,
}

pub(crate) fn waves(canary: i64, batch_size: Option<i64>) -> DeploymentWaves {
    DeploymentWaves { canary, batch_size, max_unavailable: None, pause_seconds: 0, on_failure: OnFailure::Halt }
}

impl Fleet {
    /// Agents with targets, each `agent: targets`; the certificate is on all of them, and nothing is issued yet.
    pub(crate) async fn new(waves: Option<DeploymentWaves>, agents: &[(&str, &[&str])]) -> Self {
        let world = World::new().await;
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let registry =
            Registry::new().issuer::<ScriptedIssuer>().notifier::<RecordingNotifier>().target_spec::<Shelf>();
        let board = NotifierConfig { name: "board".into(), kind: "Recording".into(), config: json!({}) };
        let builder = Engine::builder(world.storage.clone(), world.fakes.ports(), secret);
        let engine = builder.connectors(registry).notifier(board).build().await.unwrap();
        let fleet = Self { world, engine };
        let policy = renewal_policy::Create {
            id: Some("rp-waves".parse().unwrap()),
            name: "waves".into(),
            renewal_window_days: 0,
            auto_renew: true,
            max_retries: 2,
            retry_interval_seconds: 60,
            alert_thresholds_days: vec![],
            alert_severity_map: BTreeMap::new(),
            alert_channels: BTreeMap::new(),
            freeze_windows: vec![],
            fallback_issuer_ids: vec![],
            deployment_waves: waves,
        };
        fleet.engine.execute(&me(), policy).await.unwrap();
        let mut all = Vec::new();
        for (agent, targets) in agents {
            if *agent != "edge-1" {
                fleet.world.agent(agent).await;
            }
            for target in *targets {
                fleet.world.create_target(target, agent).await.unwrap();
                all.push(*target);
            }
        }
        let create =
            certificate::Create { renewal_policy_id: "rp-waves".parse().unwrap(), ..new_certificate(ID, &all, None) };
        fleet.engine.execute(&me(), create).await.unwrap();
        fleet
    }

    /// One agent, `edge-1`, with targets `t-1` to `t-5`, and a first version.
    pub(crate) async fn issued(waves: DeploymentWaves) -> Self {
        let fleet = Self::new(Some(waves), &[("edge-1", &["t-1", "t-2", "t-3", "t-4", "t-5"])]).await;
        fleet.issue("edge-1").await;
        fleet
    }

    /// The same, where the first version is in service everywhere and a second one has just been issued.
    pub(crate) async fn renewed(waves: DeploymentWaves) -> Self {
        let fleet = Self::issued(waves).await;
        fleet.all_go_well("edge-1").await;
        fleet.renew().await;
        fleet.issue("edge-1").await;
        fleet
    }

    pub(crate) async fn change(&self, waves: Option<DeploymentWaves>) {
        let change = renewal_policy::Update {
            id: "rp-waves".parse().unwrap(),
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
            deployment_waves: Some(waves),
        };
        self.engine.execute(&me(), change).await.unwrap();
    }

    pub(crate) async fn renew(&self) {
        self.pass(1);
        self.engine.execute(&me(), certificate::Renew { id: ID.parse().unwrap() }).await.unwrap();
        self.pass(1);
    }

    /// The agent sends the request that its job waits for.
    pub(crate) async fn issue(&self, agent: &str) {
        let (agent_id, certificate_id) = (agent.parse().unwrap(), ID.parse().unwrap());
        let csr_pem = self.world.csr_pem(ID).await;
        self.engine.execute(&me(), agent::SubmitCsr { agent_id, certificate_id, csr_pem }).await.unwrap();
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.world.fakes.clock.advance(Duration::from_secs(seconds));
    }

    /// What the agent is handed, by target.
    pub(crate) async fn work(&self, agent: &str) -> BTreeMap<String, WorkItem> {
        let items = self.engine.execute(&me(), agent::Work { agent_id: agent.parse().unwrap() }).await.unwrap();
        let deployments = items.into_iter().filter(|item| item.kind == JobType::Deployment);
        deployments.map(|item| (item.target_id.clone().unwrap().to_string(), item)).collect()
    }

    /// The targets that the agent is handed deployments for.
    pub(crate) async fn handed(&self, agent: &str) -> Vec<String> {
        self.work(agent).await.into_keys().collect()
    }

    async fn item(&self, agent: &str, target: &str) -> WorkItem {
        self.work(agent).await.remove(target).unwrap()
    }

    pub(crate) async fn report(&self, agent: &str, item: &WorkItem, status: ReportedStatus) {
        let error = (status == ReportedStatus::Failed).then(|| "the disk is full".to_owned());
        let report = ReportStatus { agent_id: agent.parse().unwrap(), job_id: item.id.clone(), status, error };
        self.engine.execute(&me(), report).await.unwrap();
    }

    pub(crate) async fn verify(&self, item: &WorkItem, served: bool) {
        let expected = item.expected_fingerprint.unwrap().to_string();
        let actual = if served { expected.clone() } else { "ab".repeat(32) };
        let verify = Verify {
            job_id: item.id.clone(),
            target_id: item.target_id.clone().unwrap(),
            expected_fingerprint: expected,
            actual_fingerprint: actual,
            verified: served,
            error: None,
        };
        let _ = self.engine.execute(&me(), verify).await.unwrap();
    }

    /// The agent deploys, sees it served, and says so.
    pub(crate) async fn goes_well(&self, agent: &str, target: &str) {
        let item = self.item(agent, target).await;
        self.verify(&item, true).await;
        self.report(agent, &item, ReportedStatus::Completed).await;
        self.pass(1);
    }

    /// The agent deploys, and sees something else served.
    pub(crate) async fn is_not_served(&self, agent: &str, target: &str) {
        let item = self.item(agent, target).await;
        self.verify(&item, false).await;
        self.pass(1);
        self.report(agent, &item, ReportedStatus::Completed).await;
    }

    /// The agent cannot deploy, as often as it may try.
    pub(crate) async fn fails(&self, agent: &str, target: &str) {
        for _ in 0..2 {
            let item = self.item(agent, target).await;
            self.report(agent, &item, ReportedStatus::Failed).await;
            self.pass(100);
        }
    }

    /// Everything that the agent is handed goes well, until it is handed nothing more. Gives what it was handed at once.
    pub(crate) async fn all_go_well(&self, agent: &str) -> Vec<Vec<String>> {
        let mut turns = Vec::new();
        loop {
            let turn = self.handed(agent).await;
            if turn.is_empty() {
                return turns;
            }
            for target in &turn {
                self.goes_well(agent, target).await;
            }
            turns.push(turn);
        }
    }

    pub(crate) async fn deploy(&self, target: Option<&str>) -> Vec<String> {
        self.pass(1);
        let target_id = target.map(|target| target.parse::<TargetId>().unwrap());
        let deploy = certificate::Deploy { id: ID.parse().unwrap(), target_id };
        let jobs = self.engine.execute(&me(), deploy).await.unwrap().job_ids;
        jobs.into_iter().map(|id| id.to_string()).collect()
    }

    /// Every deployment of a target, the first one first.
    pub(crate) async fn deployments(&self, target: &str) -> Vec<Job> {
        let fields = Job::FIELDS;
        let of = Query::<Job>::sorted(fields.created_at.ascending())
            .filter(fields.kind.equals(JobType::Deployment))
            .filter(fields.target_id.equals(Some(target.parse().unwrap())));
        self.world.all(of).await.into_iter().map(certctl_core::entity::Record::into_entity).collect()
    }

    /// The newest deployment of a target.
    pub(crate) async fn last(&self, target: &str) -> Job {
        self.deployments(target).await.pop().unwrap()
    }

    /// How the newest deployments of these targets stand; one that waits for its turn is `None`.
    pub(crate) async fn states(&self, targets: &[&str]) -> Vec<Option<JobState>> {
        let mut states = Vec::new();
        for target in targets {
            let job = self.last(target).await;
            states.push((!job.is_held()).then_some(job.state));
        }
        states
    }

    /// What a target has, by what was reported of it.
    pub(crate) async fn has(&self, target: &str) -> Option<VersionId> {
        let mut done = self.deployments(target).await.into_iter().filter(|job| job.state == JobState::Completed);
        done.next_back().and_then(|job| job.version_id)
    }

    pub(crate) async fn rollout(&self) -> Option<Rollout> {
        self.world.all(Query::<Rollout>::all()).await.pop().map(certctl_core::entity::Record::into_entity)
    }

    pub(crate) async fn state(&self) -> RolloutState {
        self.rollout().await.unwrap().state
    }

    /// The targets of each wave that began.
    pub(crate) async fn begun(&self) -> Vec<Value> {
        let mut events = self.world.events(AuditAction::DeploymentWaveOpened).await;
        events.sort_by_key(|event| (event.timestamp, event.id.clone()));
        events.iter().map(|event| event.details["target_ids"].clone()).collect()
    }

    /// What people are told of deployments that failed.
    pub(crate) async fn told(&self) -> Vec<Notification> {
        let told = self.world.all(Query::<Notification>::all()).await.into_iter();
        let told = told.map(certctl_core::entity::Record::into_entity);
        told.filter(|notification| notification.kind == NotificationType::DeploymentFailure).collect()
    }

    /// What the explanation says of the rollout.
    pub(crate) async fn gate(&self) -> Option<(String, String)> {
        let explain = certificate::Explain { id: ID.parse().unwrap() };
        let gates = self.engine.execute(&me(), explain).await.unwrap().gates;
        let gate = gates.into_iter().find(|gate| gate.name.name() == "rollout")?;
        Some((gate.verdict.to_string(), gate.reason))
    }
}
