//! One store with two engines over it, and agents with targets and certificates.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::connector::{
    ConfigError, ConnectorError, DeployError, DeployOutcome, Deployment, ProbePoint, Registry, Target, TargetContext,
    TargetPlugin, TargetSpec,
};
use certctl_core::domain::{
    Agent, AgentId, AuditAction, AuditEvent, Certificate, Job, KeyAlgorithm, Principal, SCHEMAS, SubjectNames,
    TargetRecord,
};
use certctl_core::engine::SetupSecret;
use certctl_core::entity::{Entity, Record};
use certctl_core::ops::agent::{Retire, Retired, Retirement};
use certctl_core::ops::{agent, certificate, issuer, profile, target};
use certctl_core::ports::Clock;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{MemoryStorage, Query, Storage, View};
use certctl_core::testing::{FakePorts, ScriptedCa, ScriptedIssuer};
use certctl_core::{Engine, Error, pki};
use serde_json::json;

use crate::interrupted::{Interrupted, Interruption};

/// Where certificates are put.
#[derive(Debug)]
pub(crate) struct Shelf;

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

pub(crate) struct World {
    pub(crate) fakes: FakePorts,
    pub(crate) storage: Arc<dyn Storage>,
    /// The engine of everyday.
    pub(crate) engine: Engine,
    /// Another one over the same store, whose commits can be interrupted.
    pub(crate) slow: Engine,
    pub(crate) interrupted: Arc<Interrupted>,
}

pub(crate) fn me() -> Principal {
    Principal::embedder("test")
}

pub(crate) fn edge() -> AgentId {
    "edge-1".parse().unwrap()
}

/// A retirement by force.
pub(crate) fn forced(id: &str) -> Retire {
    Retire { id: id.parse().unwrap(), force: true, reason: Some("the host is gone".into()) }
}

/// A retirement of what nothing depends on.
pub(crate) fn plain(id: &str) -> Retire {
    Retire { id: id.parse().unwrap(), force: false, reason: None }
}

#[track_caller]
pub(crate) fn retired(retirement: Retirement) -> Retired {
    match retirement {
        Retirement::Retired(retired) => retired,
        other => panic!("{other:?}"),
    }
}

async fn engine(fakes: &FakePorts, storage: Arc<dyn Storage>) -> Engine {
    let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
    let registry = Registry::new().issuer::<ScriptedIssuer>().target_spec::<Shelf>();
    Engine::builder(storage, fakes.ports(), secret).connectors(registry).build().await.unwrap()
}

impl World {
    /// An issuer that answers at once, and the agent `edge-1` with nothing.
    pub(crate) async fn new() -> Self {
        let fakes = FakePorts::seeded(1);
        ScriptedCa::new(1, fakes.clock.now()).attach(&fakes.http);
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(SCHEMAS, fakes.ports().clock.clone()));
        let interrupted = Arc::new(Interrupted::new(storage.clone(), Interruption::default()));
        let (here, slow) = (engine(&fakes, storage.clone()).await, engine(&fakes, interrupted.clone()).await);
        let world = Self { fakes, storage, engine: here, slow, interrupted };
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
        world.agent("edge-1").await;
        world
    }

    /// The agent with two targets; on the first an issued certificate that is being deployed and a pending one, and one
    /// that is archived; and a certificate without targets whose key it holds.
    pub(crate) async fn busy() -> Self {
        let world = Self::new().await;
        for target in ["t-1", "t-2"] {
            world.create_target(target, "edge-1").await.unwrap();
        }
        for id in ["mc-issued", "mc-pending", "mc-archived"] {
            world.create_certificate(id, &["t-1"], None).await.unwrap();
        }
        world.create_certificate("mc-held", &[], Some("edge-1")).await.unwrap();
        world.issue("mc-issued", "edge-1").await;
        let archive = certificate::Archive { id: "mc-archived".parse().unwrap() };
        world.engine.execute(&me(), archive).await.unwrap();
        world
    }

    pub(crate) async fn agent(&self, id: &str) {
        let registration = agent::Registration {
            id: Some(id.parse().unwrap()),
            name: id.into(),
            hostname: "host".into(),
            ..agent::Registration::default()
        };
        self.engine.execute(&me(), agent::Register { registration, enrol_token: None }).await.unwrap();
    }

    pub(crate) async fn create_target(&self, id: &str, agent: &str) -> Result<(), Error> {
        self.engine.execute(&me(), new_target(id, agent)).await.map(drop)
    }

    pub(crate) async fn create_certificate(
        &self,
        id: &str,
        targets: &[&str],
        agent: Option<&str>,
    ) -> Result<(), Error> {
        self.engine.execute(&me(), new_certificate(id, targets, agent)).await.map(drop)
    }

    /// A request for the certificate, PEM, with a fresh key.
    pub(crate) async fn csr_pem(&self, id: &str) -> String {
        let key = self.fakes.keys.generate(KeyAlgorithm::EcdsaP256, &*self.fakes.rng).await.unwrap();
        let names = SubjectNames::new(&format!("{id}.example.com"), &[]).unwrap();
        pki::csr::build(&names, &*key.signer).await.unwrap().to_pem()
    }

    /// The agent sends the request that its certificate waits for.
    pub(crate) async fn issue(&self, id: &str, agent: &str) {
        let (agent_id, certificate_id) = (agent.parse().unwrap(), id.parse().unwrap());
        let submit = agent::SubmitCsr { agent_id, certificate_id, csr_pem: self.csr_pem(id).await };
        self.engine.execute(&me(), submit).await.unwrap();
    }

    pub(crate) async fn retire(&self, retire: Retire) -> Result<Retirement, Error> {
        self.engine.execute(&me(), retire).await
    }

    pub(crate) async fn get<E: Entity>(&self, id: &str) -> Record<E> {
        self.storage.read(View::Latest).await.unwrap().get(id).await.unwrap().unwrap()
    }

    pub(crate) async fn all<E: Entity>(&self, query: Query<E>) -> Vec<Record<E>> {
        self.storage.read(View::Latest).await.unwrap().list(query.limit(500)).await.unwrap().records
    }

    pub(crate) async fn events(&self, action: AuditAction) -> Vec<Record<AuditEvent>> {
        self.all(Query::all().filter(AuditEvent::FIELDS.action.equals(action))).await
    }

    /// The open jobs of an agent, and its targets that are not retired: what a retired one must not have.
    pub(crate) async fn belongings(&self, agent: &str) -> (usize, usize) {
        let id: AgentId = agent.parse().unwrap();
        let jobs = Job::FIELDS.agent_id.equals(Some(id.clone()));
        let jobs = self.all(Query::all().filter(jobs)).await.into_iter().filter(|job| job.is_open()).count();
        let fields = TargetRecord::FIELDS;
        let targets = Query::all().filter(fields.agent_id.equals(id)).filter(fields.retired_at.is_null());
        (jobs, self.all(targets).await.len())
    }

    pub(crate) async fn is_retired(&self, agent: &str) -> bool {
        self.get::<Agent>(agent).await.retired_at.is_some()
    }

    /// Goes to the moment at which the certificate is to be renewed, and lets the loops do it.
    pub(crate) async fn renewal(&self, certificate: &str) {
        let renew_at = self.get::<Certificate>(certificate).await.renew_at;
        self.fakes.clock.advance(renew_at.since(self.fakes.clock.now()) + Duration::from_secs(1));
        self.engine.step().await.unwrap();
    }
}

pub(crate) fn new_target(id: &str, agent: &str) -> target::Create {
    target::Create {
        id: Some(id.parse().unwrap()),
        name: id.into(),
        kind: "Shelf".into(),
        agent_id: agent.parse().unwrap(),
        config: json!({}),
        enabled: true,
        client_auth: false,
    }
}

pub(crate) fn new_certificate(id: &str, targets: &[&str], agent: Option<&str>) -> certificate::Create {
    certificate::Create {
        id: Some(id.parse().unwrap()),
        issuer_id: "iss-near".parse().unwrap(),
        certificate_profile_id: Some("prof-server".parse().unwrap()),
        target_ids: targets.iter().map(|id| id.parse().unwrap()).collect(),
        agent_id: agent.map(|agent| agent.parse().unwrap()),
        ..certificate::Create::new(id, format!("{id}.example.com"))
    }
}
