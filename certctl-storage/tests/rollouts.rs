//! A rollout on a database: what is asked of the store to halt it, to take it back and to go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use certctl_core::Engine;
use certctl_core::connector::{
    ConfigError, ConnectorError, DeployError, DeployOutcome, Deployment, ProbePoint, Registry, Target, TargetContext,
    TargetPlugin, TargetSpec,
};
use certctl_core::domain::{
    DeploymentWaves, JobType, KeyAlgorithm, OnFailure, Principal, Rollout, RolloutState, SCHEMAS, SubjectNames,
};
use certctl_core::engine::SetupSecret;
use certctl_core::ops::agent::{
    Register, Registration, ReportStatus, ReportedStatus, SubmitCsr, Verify, Work, WorkItem,
};
use certctl_core::ops::{Operation, certificate, issuer, profile, renewal_policy, target};
use certctl_core::pki;
use certctl_core::ports::Clock;
use certctl_core::seal::SealingKey;
use certctl_core::storage::View;
use certctl_core::testing::{FakePorts, ScriptedCa, ScriptedIssuer};
use certctl_storage::{DatabaseConfig, SeaStorage};
use libtest_mimic::Trial;
use serde_json::json;

use crate::clock::SystemClock;
use crate::{Server, on_postgres, on_sqlite};

const NAME: &str = "a_rollout_is_halted_taken_back_and_begun_anew";

pub(crate) fn trials(server: &Server) -> Vec<Trial> {
    vec![
        on_sqlite(NAME, async |path| roll(&format!("sqlite:{}", path.display())).await),
        on_postgres(server, NAME, async |url| roll(&url).await),
    ]
}

#[derive(Debug)]
struct Shelf;

impl TargetSpec for Shelf {
    const KIND: &'static str = "Shelf";
    const DOCS: &'static str = "A shelf.";
    type Config = BTreeMap<String, String>;
    type Valid = ();
    fn validate(_: Self::Config) -> Result<(), ConfigError> {
        Ok(())
    }
}

impl TargetPlugin for Shelf {
    fn build((): (), _: &TargetContext) -> Result<Arc<dyn Target>, ConnectorError> {
        Ok(Arc::new(Self))
    }
}

#[async_trait]
impl Target for Shelf {
    async fn recover(&self) -> Result<(), DeployError> {
        Ok(())
    }
    async fn deploy(&self, _: Deployment<'_>) -> Result<DeployOutcome, DeployError> {
        std::future::pending().await
    }
    fn probe_point(&self) -> Option<ProbePoint> {
        None
    }
}

struct Fleet {
    fakes: FakePorts,
    engine: Engine,
}

impl Fleet {
    async fn execute<O: Operation>(&self, operation: O) -> O::Output {
        self.engine.execute(&Principal::embedder("test"), operation).await.unwrap()
    }

    async fn issue(&self) {
        let key = self.fakes.keys.generate(KeyAlgorithm::EcdsaP256, &*self.fakes.rng).await.unwrap();
        let names = SubjectNames::new("mc-1.example.com", &[]).unwrap();
        let csr_pem = pki::csr::build(&names, &*key.signer).await.unwrap().to_pem();
        let (agent_id, certificate_id) = ("edge-1".parse().unwrap(), "mc-1".parse().unwrap());
        self.execute(SubmitCsr { agent_id, certificate_id, csr_pem }).await;
    }

    async fn work(&self) -> BTreeMap<String, WorkItem> {
        let items = self.execute(Work { agent_id: "edge-1".parse().unwrap() }).await.into_iter();
        let items = items.filter(|item| item.kind == JobType::Deployment);
        items.map(|item| (item.target_id.clone().unwrap().to_string(), item)).collect()
    }

    async fn report(&self, item: &WorkItem, served: bool) {
        let expected_fingerprint = item.expected_fingerprint.unwrap().to_string();
        let actual_fingerprint = if served { expected_fingerprint.clone() } else { "ab".repeat(32) };
        let (job_id, target_id) = (item.id.clone(), item.target_id.clone().unwrap());
        let verified = served;
        let verify = Verify { job_id, target_id, expected_fingerprint, actual_fingerprint, verified, error: None };
        let _ = self.execute(verify).await;
        let (agent_id, job_id) = ("edge-1".parse().unwrap(), item.id.clone());
        self.execute(ReportStatus { agent_id, job_id, status: ReportedStatus::Completed, error: None }).await;
    }

    /// Everything goes well until nothing is left; gives the targets of each turn.
    async fn all_go_well(&self) -> Vec<Vec<String>> {
        let mut turns = Vec::new();
        loop {
            let turn = self.work().await;
            if turn.is_empty() {
                return turns;
            }
            for item in turn.values() {
                self.report(item, true).await;
            }
            turns.push(turn.into_keys().collect());
        }
    }

    async fn state(&self) -> RolloutState {
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        view.get::<Rollout>("mc-1").await.unwrap().unwrap().state
    }
}

async fn roll(url: &str) {
    let clock = Arc::new(SystemClock);
    let storage = SeaStorage::connect(&DatabaseConfig::new(url), SCHEMAS, clock).await.unwrap();
    let fakes = FakePorts::seeded(1);
    // The store's clock rules, and it is the real one.
    ScriptedCa::new(1, SystemClock.now()).attach(&fakes.http);
    let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
    let registry = Registry::new().issuer::<ScriptedIssuer>().target_spec::<Shelf>();
    let engine = Engine::builder(Arc::new(storage), fakes.ports(), secret).connectors(registry).build().await.unwrap();
    let fleet = Fleet { fakes, engine };
    let issuer = issuer::Create {
        id: Some("iss-near".parse().unwrap()),
        name: "near".into(),
        kind: "Scripted".into(),
        config: json!({ "immediate": true }),
        enabled: true,
    };
    fleet.execute(issuer).await;
    let profile = profile::Create {
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
    fleet.execute(profile).await;
    let waves = DeploymentWaves {
        canary: 1,
        batch_size: None,
        max_unavailable: None,
        pause_seconds: 0,
        on_failure: OnFailure::Rollback,
    };
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
        deployment_waves: Some(waves),
    };
    assert_eq!(fleet.execute(policy).await.deployment_waves.map(|waves| waves.0), Some(waves));
    let registration =
        Registration { id: Some("edge-1".parse().unwrap()), name: "edge-1".into(), ..Registration::default() };
    fleet
        .execute(Register { registration: Registration { hostname: "host".into(), ..registration }, enrol_token: None })
        .await;
    let targets = ["t-1", "t-2", "t-3"];
    for id in targets {
        let create = target::Create {
            id: Some(id.parse().unwrap()),
            name: id.into(),
            kind: "Shelf".into(),
            agent_id: "edge-1".parse().unwrap(),
            config: json!({}),
            enabled: true,
            client_auth: false,
        };
        fleet.execute(create).await;
    }
    let create = certificate::Create {
        id: Some("mc-1".parse().unwrap()),
        issuer_id: "iss-near".parse().unwrap(),
        certificate_profile_id: Some("prof-server".parse().unwrap()),
        renewal_policy_id: "rp-waves".parse().unwrap(),
        target_ids: targets.iter().map(|id| id.parse().unwrap()).collect(),
        ..certificate::Create::new("mc-1", "mc-1.example.com")
    };
    fleet.execute(create).await;
    fleet.issue().await;
    assert_eq!(fleet.all_go_well().await, [vec!["t-1"], vec!["t-2", "t-3"]]);
    assert_eq!(fleet.state().await, RolloutState::Finished);

    let _ = fleet.execute(certificate::Renew { id: "mc-1".parse().unwrap() }).await;
    fleet.issue().await;
    let canary = fleet.work().await;
    assert_eq!(canary.keys().collect::<Vec<_>>(), ["t-1"]);
    fleet.report(&canary["t-1"], true).await;
    let wave = fleet.work().await;
    fleet.report(&wave["t-2"], false).await;
    assert_eq!(fleet.state().await, RolloutState::RollingBack);
    let back = fleet.work().await;
    assert_ne!(back["t-1"].version_id, canary["t-1"].version_id);
    assert_eq!(back["t-3"].version_id, canary["t-1"].version_id, "its agent is still at it");
    assert_eq!(fleet.all_go_well().await, [vec!["t-1", "t-2", "t-3"], vec!["t-3"]]);
    assert_eq!(fleet.state().await, RolloutState::RolledBack);

    let deploy = certificate::Deploy { id: "mc-1".parse().unwrap(), target_id: None };
    assert_eq!(fleet.execute(deploy).await.job_ids.len(), 3);
    assert_eq!(fleet.all_go_well().await, [vec!["t-1"], vec!["t-2", "t-3"]]);
    assert_eq!(fleet.state().await, RolloutState::Finished);
}
