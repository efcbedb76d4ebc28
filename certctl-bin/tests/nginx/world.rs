//! An engine with its agent, and the nginx that the agent deploys to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use certctl_connectors::host::{self, EgressPolicy, HostConfig};
use certctl_core::Engine;
use certctl_core::agent::{AgentConfig, AgentRuntime, InProcess};
use certctl_core::connector::DeployCause;
use certctl_core::domain::{
    AgentId, AuditAction, AuditEvent, AuthorityRecord, Job, JobState, JobType, KeyAlgorithm, Principal, SCHEMAS,
    VerificationStatus, Version, pem,
};
use certctl_core::engine::SetupSecret;
use certctl_core::entity::Record;
use certctl_core::ops::{PageRequest, agent, certificate, job, renewal_policy, target};
use certctl_core::ports::Ports;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{Query, View};
use certctl_core::testing::TestAuthority;
use certctl_storage::{DatabaseConfig, SeaStorage};
use libtest_mimic::Failed;

use super::ensure;
use super::handshaker::Order;
use super::sabotage::{LimitedFiles, Sabotage, Space};
use super::site::{NAME, Site, TARGET};

const AGENT: &str = "edge-1";
const CERTIFICATE: &str = "mc-shop";
const POLICY: &str = "rp-at-once";
/// More steps than any renewal takes.
const STEPS: usize = 400;
/// How long the agent asks for work before the test looks again.
const ASK: Duration = Duration::from_millis(50);

pub(crate) struct World {
    engine: Engine,
    ports: Ports,
    agent: AgentRuntime,
    /// Of the agent's files.
    space: Space,
    agent_dir: PathBuf,
    site: Site,
    // The last to go.
    _dir: tempfile::TempDir,
}

/// A key file whose contents were exchanged, and what it had.
struct Exchanged(PathBuf, Vec<u8>);

impl World {
    /// An engine on an empty store and a running nginx, with its first certificate of the engine's in service.
    pub(crate) async fn start(program: PathBuf) -> Result<Self, Failed> {
        let dir = tempfile::tempdir()?;
        let egress =
            EgressPolicy { allow: vec!["127.0.0.0/8".parse()?, "::1/128".parse()?], ..EgressPolicy::default() };
        let ports = host::ports(&HostConfig { egress, ..HostConfig::default() })?;
        let now = ports.clock.now();
        let hour = Duration::from_secs(3600);
        let by_hand = TestAuthority::new(1, now).await.issue(&[NAME], now - hour, now + hour).await;
        let site = Site::start(program, &dir.path().join("nginx"), &by_hand)?;

        let database = DatabaseConfig::new(format!("sqlite:{}", dir.path().join("certctl.db").display()));
        let store = SeaStorage::connect(&database, SCHEMAS, ports.clock.clone()).await?;
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[7; 32])?);
        let registry = certctl_connectors::registry();
        let builder = Engine::builder(Arc::new(store), ports.clone(), secret).connectors(registry.clone());
        let engine = builder.build().await?;
        prepare(&engine, &site).await?;

        let space = Space::below(site.tls());
        let files = Arc::new(LimitedFiles { inner: ports.files.clone(), space: space.clone() });
        let agent_dir = dir.path().join("agent");
        let id = AgentId::parse(AGENT)?;
        let mut config = AgentConfig::new(id.clone(), agent_dir.clone());
        config.allowed_commands = site.allowed_commands();
        config.allowed_paths = vec![site.tls()];
        (config.verify_delay, config.verify_attempts) = (Duration::from_millis(10), 200);
        let control = Arc::new(InProcess::new(engine.clone(), id));
        let agent = AgentRuntime::start(control, Ports { files, ..ports.clone() }, registry, config).await?;
        let world = Self { engine, ports, agent, space, agent_dir, site, _dir: dir };
        let job = world.deployment(None).await?;
        world.completed(&job).await?;
        Ok(world)
    }

    /// What a client needs to shake hands: it trusts the engine's CA and nothing else.
    pub(crate) async fn handshakes(&self) -> Result<Order, Failed> {
        let view = self.engine.storage().read(View::Latest).await?;
        let query = Query::<AuthorityRecord>::all().filter(AuthorityRecord::FIELDS.owner.equals("iss-local".into()));
        let authority = view.first(query).await?.ok_or("the issuer has no CA")?;
        Ok(Order { port: self.site.port, server_name: NAME.to_owned(), root: authority.chain.leaf().to_vec() })
    }

    /// One renewal until it is in service, in spite of what is done to it first.
    pub(crate) async fn renew(&mut self, sabotage: Option<Sabotage>) -> Result<(), Failed> {
        let before = self.newest().await?;
        let last = self.jobs().await?.into_iter().next();
        self.engine.execute(&me(), certificate::Renew { id: CERTIFICATE.parse()? }).await?;
        let job = self.deployment(last.as_ref()).await?;
        ensure(self.newest().await?.fingerprint_sha256 != before.fingerprint_sha256, || "nothing is new".to_owned())?;
        if let Some(sabotage) = sabotage {
            let files = self.site.files()?;
            let exchanged = self.begin(sabotage).await?;
            let failed = self.until(&job, JobState::Failed).await;
            let after = self.site.files();
            let served = self.site.served(&self.ports).await;
            self.end_of(sabotage, exchanged)?;
            let error = failed?.last_error.unwrap_or_default();
            ensure(error.starts_with(&format!("{}:", sabotage.cause())), || format!("stored is: {error}"))?;
            ensure(after? == files, || "the files are not what they were".to_owned())?;
            ensure(served? == before.fingerprint_sha256, || "something else is served".to_owned())?;
            self.site.has_no_journal()?;
        }
        self.completed(&job).await
    }

    /// Each sabotage, in order, as the audit trail has it.
    pub(crate) async fn stored_causes_are(&self, expected: &[DeployCause]) -> Result<(), Failed> {
        let view = self.engine.storage().read(View::Latest).await?;
        let fields = AuditEvent::FIELDS;
        let query = Query::<AuditEvent>::sorted(fields.timestamp.ascending())
            .filter(fields.action.equals(AuditAction::JobRetry))
            .limit(500);
        let stored = view.list(query).await?.records;
        let stored: Vec<String> = stored
            .iter()
            .map(|event| event.details.0["error"].as_str().unwrap_or_default())
            .map(|error| error.split(':').next().unwrap_or_default().to_owned())
            .collect();
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        ensure(stored == expected, || format!("stored: {stored:?}; done: {expected:?}"))
    }

    /// That nothing is left to do, and nginx could start again with what is there.
    pub(crate) fn end(self) -> Result<(), Failed> {
        self.site.takes_files()?;
        self.site.has_no_journal()
    }

    async fn begin(&self, sabotage: Sabotage) -> Result<Option<Exchanged>, Failed> {
        match sabotage {
            Sabotage::ConfigTest => self.site.break_configuration()?,
            Sabotage::Reload => self.site.refuse_reloads()?,
            Sabotage::DiskFull { after } => self.space.limit(after),
            Sabotage::KeyMismatch => {
                let other = self.ports.keys.generate(KeyAlgorithm::EcdsaP256, &*self.ports.rng).await?;
                let key_id = self.newest().await?.key_id;
                let path = self.agent_dir.join("keys").join(format!("{key_id}.pem"));
                let exchanged = Exchanged(path.clone(), std::fs::read(&path)?);
                std::fs::write(&path, pem::encode("PRIVATE KEY", &other.pkcs8))?;
                return Ok(Some(exchanged));
            }
        }
        Ok(None)
    }

    fn end_of(&self, sabotage: Sabotage, exchanged: Option<Exchanged>) -> Result<(), Failed> {
        match sabotage {
            Sabotage::ConfigTest => self.site.mend_configuration()?,
            Sabotage::Reload => self.site.allow_reloads()?,
            Sabotage::DiskFull { .. } => self.space.limit(i64::MAX),
            Sabotage::KeyMismatch => {}
        }
        if let Some(Exchanged(path, contents)) = exchanged {
            std::fs::write(path, contents)?;
        }
        Ok(())
    }

    /// The deployment that follows `last`: the request is made and answered, and nothing is deployed yet.
    async fn deployment(&self, last: Option<&Job>) -> Result<Job, Failed> {
        for _ in 0..STEPS {
            if let Some(job) = self.jobs().await?.into_iter().next().filter(|job| last.is_none_or(|l| l.id != job.id)) {
                return Ok(job);
            }
            self.agent.step(ASK).await?;
        }
        Err("nothing is to be deployed".into())
    }

    /// Works until the job is in that state.
    async fn until(&self, job: &Job, state: JobState) -> Result<Job, Failed> {
        for _ in 0..STEPS {
            let found = self.engine.execute(&me(), job::Get { id: job.id.clone() }).await?.into_entity();
            if found.state == state {
                return Ok(found);
            }
            ensure(found.is_open(), || format!("the job is {}: {:?}", found.state, found.last_error))?;
            self.agent.step(ASK).await?;
        }
        Err(format!("the job is never {state}").into())
    }

    /// Works until the deployment is done, and nothing but the newest certificate is served.
    async fn completed(&self, job: &Job) -> Result<(), Failed> {
        let job = self.until(job, JobState::Completed).await?;
        ensure(job.verification_status == Some(VerificationStatus::Success), || {
            format!("verification: {:?} {:?}", job.verification_status, job.verification_error)
        })?;
        let newest = self.newest().await?.fingerprint_sha256;
        ensure(job.expected_fingerprint == Some(newest), || "an older version was deployed".to_owned())?;
        // nginx's worker from before the reload may accept a few connections more.
        let mut in_a_row = 0;
        for _ in 0..2_000 {
            in_a_row = if self.site.served(&self.ports).await? == newest { in_a_row + 1 } else { 0 };
            if in_a_row == 20 {
                return Ok(());
            }
        }
        Err("the newest certificate is not served for good".into())
    }

    async fn newest(&self) -> Result<Version, Failed> {
        let get = certificate::Get { id: CERTIFICATE.parse()? };
        Ok(self.engine.execute(&me(), get).await?.newest.ok_or("nothing is issued")?)
    }

    /// The deployments, newest first.
    async fn jobs(&self) -> Result<Vec<Job>, Failed> {
        let filter = job::ListFilter { kind: Some(JobType::Deployment), ..job::ListFilter::default() };
        let list = job::List { filter, page: PageRequest::Number { page: 1, per_page: 10 } };
        Ok(self.engine.execute(&me(), list).await?.records.into_iter().map(Record::into_entity).collect())
    }
}

fn me() -> Principal {
    Principal::embedder("test")
}

async fn prepare(engine: &Engine, site: &Site) -> Result<(), Failed> {
    let registration = agent::Registration {
        id: Some(AGENT.parse()?),
        name: AGENT.into(),
        hostname: "host".into(),
        ..agent::Registration::default()
    };
    engine.execute(&me(), agent::Register { registration, enrol_token: None }).await?;
    let policy = renewal_policy::Create {
        id: Some(POLICY.parse()?),
        name: "retries at once".into(),
        renewal_window_days: 0,
        auto_renew: true,
        max_retries: 10,
        retry_interval_seconds: 1,
        alert_thresholds_days: Vec::new(),
        alert_severity_map: BTreeMap::new(),
        alert_channels: BTreeMap::new(),
        freeze_windows: Vec::new(),
        fallback_issuer_ids: Vec::new(),
        deployment_waves: None,
    };
    engine.execute(&me(), policy).await?;
    let target = target::Create {
        id: Some(TARGET.parse()?),
        name: "shop".into(),
        kind: "NGINX".into(),
        agent_id: AGENT.parse()?,
        config: site.target(),
        enabled: true,
        client_auth: false,
    };
    engine.execute(&me(), target).await?;
    let certificate = certificate::Create {
        id: Some(CERTIFICATE.parse()?),
        name: "shop".into(),
        common_name: NAME.into(),
        sans: Vec::new(),
        environment: String::new(),
        owner_id: "o-default".parse()?,
        team_id: "team-default".parse()?,
        issuer_id: "iss-local".parse()?,
        renewal_policy_id: POLICY.parse()?,
        certificate_profile_id: None,
        target_ids: vec![TARGET.parse()?],
        agent_id: None,
        tags: BTreeMap::new(),
        issue: true,
    };
    engine.execute(&me(), certificate).await?;
    Ok(())
}
