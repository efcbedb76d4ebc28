//! The stage: server, agent and endpoint below a temporary directory, and what happens on it.

use std::future::Future;
use std::time::{Duration, Instant};

use certctl_core::agent::{AgentConfig, Stopped};
use certctl_core::domain::{
    AgentId, CertificateId, Chain, Fingerprint, JobState, JobType, TargetId, VerificationStatus,
};
use certctl_core::ports::{Ports, Secret};
use certctl_http::client::{Client, Listing};
use certctl_http::wire::{CertificateVersion, CreateCertificate, CreateEnrolToken, CreateTarget, Job};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;
use url::Url;

use super::endpoint::Endpoint;
use super::handshakes::{Tally, Visitor};
use super::narrator::{self, Narrator};
use crate::config::Config;
use crate::failure::Failure;
use crate::serve::Server;
use crate::shutdown::Shutdown;
use crate::{agent, cli, compose};

const NAME: &str = "demo.example";
const CERTIFICATE: &str = "mc-demo";
const TARGET: &str = "tgt-demo";
const VERIFIED: &str = VerificationStatus::Success.name();
const AGENT: &str = "agent-demo";
/// Longest time for one step; the usual is below a second.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Handshakes go on this long around the renewal.
const MARGIN: Duration = Duration::from_millis(500);

/// What was seen.
pub(super) struct Story {
    pub(super) before: Fingerprint,
    pub(super) after: Fingerprint,
    pub(super) handshakes: Tally,
    /// Whether the agent saw both certificates served.
    pub(super) verified: bool,
}

impl Story {
    /// Whether everything was as it should be.
    pub(super) fn succeeded(&self) -> bool {
        let only_these = self.handshakes.served.keys().all(|served| *served == self.before || *served == self.after);
        self.verified
            && self.before != self.after
            && self.handshakes.failed == 0
            && self.handshakes.made > 0
            && only_these
    }
}

/// Everything that runs.
pub(super) struct Scene {
    directory: TempDir,
    url: String,
    key: Secret,
    client: Client,
    endpoint: Mutex<Endpoint>,
    shutdown: Shutdown,
    server: Mutex<Option<JoinHandle<Result<(), Failure>>>>,
    agent: Mutex<Option<JoinHandle<Result<Stopped, Failure>>>>,
}

impl Scene {
    /// Starts server, endpoint and agent.
    pub(super) async fn set(narrator: &Narrator) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new().prefix("certctl-demo-").tempdir()?;
        let ports = compose::agent_ports()?;
        let shutdown = Shutdown::by_hand();
        let key = new_key(&ports);

        let data_dir = directory.path().join("server");
        let config = Config {
            data_dir: Some(data_dir.clone()),
            listen: Some("127.0.0.1:0".to_owned()),
            api_keys_named: Some(Secret::new(format!("demo:{}:admin", key.expose()))),
            ..Config::default()
        };
        let server = Server::open(&config.validate()?).await?;
        let url = server.url();
        let server = tokio::spawn(server.run(shutdown.clone()));
        let root = cli::read_root(&data_dir.join("ca.pem"))?;
        let anonymous = Client::new(ports.http.clone(), Url::parse(&url)?).trusting(root);
        let client = anonymous.clone().with_key(key.clone());
        within("the server is ready", || async { Ok(client.ready().await.ok()) }).await?;
        narrator.step(&format!("the server listens on {url}, with a built-in CA in a new SQLite file"))?;

        let endpoint = Endpoint::start(&ports, directory.path()).await?;
        narrator.step(&format!("{} listens on {}, with a placeholder certificate", endpoint.what, endpoint.address))?;

        let mut config = AgentConfig::new(AgentId::parse(AGENT)?, directory.path().join("agent"));
        config.hostname = "localhost".into();
        config.allowed_commands = endpoint.allowed_commands();
        config.allowed_paths = endpoint.allowed_paths();
        config.verify_delay = Duration::from_millis(100);
        let request = CreateEnrolToken { agent_id: Some(config.id.clone()), expires_in: None };
        let token = client.create_enrol_token(&request).await?.token;
        let credential = agent::enrol(&anonymous, &config, &ports, AGENT.to_owned(), token).await?;
        let work = agent::work(anonymous.with_key(credential), config, ports, shutdown.clone());
        let agent = tokio::spawn(work);
        narrator.step("an agent enrolled with a one-time token; it holds its own keys and asks the server for work")?;
        Ok(Self {
            directory,
            url,
            key,
            client,
            endpoint: Mutex::new(endpoint),
            shutdown,
            server: Mutex::new(Some(server)),
            agent: Mutex::new(Some(agent)),
        })
    }

    /// One certificate's life.
    pub(super) async fn play(&self, narrator: &Narrator) -> Result<Story, Failure> {
        let id = CertificateId::parse(CERTIFICATE)?;
        self.create(&id).await?;
        narrator.step(&format!("certificate {CERTIFICATE} for {NAME} was created, with the endpoint as its target"))?;

        let first = self.version(&id, 1).await?;
        let algorithm = &first.key_algorithm;
        narrator.step(&format!(
            "the agent made a key ({algorithm}) and a request; the CA signed serial {}",
            first.serial_number
        ))?;
        let deployed = self.deployed(&id, 1).await?;
        let mut verified = deployed.verification_status == VERIFIED;
        narrator.step(&format!(
            "the agent deployed it; its own check of what is served: {}",
            deployed.verification_status
        ))?;

        let chain = Chain::from_pem(&first.pem_chain)?;
        let address = self.endpoint.lock().await.address;
        let visitor = Visitor::new(address, NAME, &chain)?;
        let before = visitor.shake().await.map_err(Failure::new)?;
        expect(&before, &first)?;
        narrator.step(&format!("a TLS handshake, trusting the CA alone, shows {before}"))?;

        let (stop, stopped) = oneshot::channel();
        let shaking = tokio::spawn(visitor.clone().keep_shaking(stopped));
        tokio::time::sleep(MARGIN).await;
        let renewal = self.client.renew_certificate(&id).await?;
        narrator
            .step(&format!("renewal asked for ({}) while a client shakes hands 100 times a second", renewal.job_id))?;
        let second = self.version(&id, 2).await?;
        narrator.step(&format!("the agent made a new key; the CA signed serial {}", second.serial_number))?;
        let deployed = self.deployed(&id, 2).await?;
        verified &= deployed.verification_status == VERIFIED;
        narrator.step(&format!("redeployed; the agent's check: {}", deployed.verification_status))?;
        tokio::time::sleep(MARGIN).await;
        let after = visitor.shake().await.map_err(Failure::new)?;
        expect(&after, &second)?;
        let _ = stop.send(());
        let handshakes = shaking.await?;
        narrator.step(&format!("a TLS handshake shows {after}"))?;
        Ok(Story { before, after, handshakes, verified })
    }

    async fn create(&self, id: &CertificateId) -> Result<(), Failure> {
        let config = self.endpoint.lock().await.target_config(NAME);
        let target: CreateTarget = serde_json::from_value(
            json!({ "id": TARGET, "name": "demo", "type": "NGINX", "agent_id": AGENT, "config": config }),
        )?;
        self.client.create_target(&target).await?;
        let certificate: CreateCertificate = serde_json::from_value(json!({
            "id": id,
            "name": "demo",
            "common_name": NAME,
            "sans": [NAME],
            "environment": "demo",
            "owner_id": "o-default",
            "team_id": "team-default",
            "issuer_id": "iss-local",
            "renewal_policy_id": "rp-default",
            "target_ids": [TargetId::parse(TARGET)?],
            "tags": {},
        }))?;
        self.client.create_certificate(&certificate).await?;
        Ok(())
    }

    /// The newest version, once there are so many.
    async fn version(&self, id: &CertificateId, count: usize) -> Result<CertificateVersion, Failure> {
        within(&format!("version {count} is issued"), || async {
            self.complain(id).await?;
            let mut versions = self.client.list_certificate_versions(id, &Listing::default()).await?.data;
            Ok((versions.len() >= count).then(|| versions.swap_remove(0)))
        })
        .await
    }

    /// The newest deployment job, once so many have ended well.
    async fn deployed(&self, id: &CertificateId, count: usize) -> Result<Job, Failure> {
        within(&format!("deployment {count} is done"), || async {
            self.complain(id).await?;
            let mut done: Vec<Job> = self.jobs(id).await?;
            done.retain(|job| job.kind == JobType::Deployment && job.status == JobState::Completed);
            done.sort_by_key(|job| job.completed_at);
            Ok(if done.len() >= count { done.pop() } else { None })
        })
        .await
    }

    /// A job that failed is told at once: waiting for its retry would only hide it.
    async fn complain(&self, id: &CertificateId) -> Result<(), Failure> {
        match self.jobs(id).await?.into_iter().find(|job| job.status == JobState::Failed) {
            Some(job) => {
                let why = job.last_error.unwrap_or_default();
                Err(Failure::new(format!("the {} job {} failed: {why}", job.kind, job.id)))
            }
            None => Ok(()),
        }
    }

    async fn jobs(&self, id: &CertificateId) -> Result<Vec<Job>, Failure> {
        let listing = Listing::default().filter("certificate_id", id.as_str()).per_page(100);
        Ok(self.client.list_jobs(&listing).await?.data)
    }

    /// What to try while it stays up.
    pub(super) fn invite(&self) -> Result<(), Failure> {
        let ca = self.directory.path().join("server").join("ca.pem");
        narrator::plain("")?;
        narrator::plain("it stays up until Ctrl-C; in another shell:")?;
        narrator::plain(&format!("export CERTCTL_SERVER_URL={}", self.url))?;
        narrator::plain(&format!("export CERTCTL_API_KEY={}", self.key.expose()))?;
        narrator::plain(&format!("export CERTCTL_SERVER_CA_BUNDLE_PATH={}", ca.display()))?;
        let program = std::env::current_exe().map_or_else(|_| "certctl".to_owned(), |path| path.display().to_string());
        narrator::plain(&format!("{program} certs list"))?;
        narrator::plain(&format!("{program} certs renew {CERTIFICATE}"))
    }

    /// Ends everything; the directory goes last.
    pub(super) async fn strike(self) {
        self.shutdown.begin();
        if let Some(agent) = self.agent.into_inner() {
            let _ = agent.await;
        }
        if let Some(server) = self.server.into_inner() {
            let _ = server.await;
        }
        self.endpoint.into_inner().stop().await;
    }
}

/// Looks again and again until there is something, or patience ends.
async fn within<T, F: Future<Output = Result<Option<T>, Failure>>>(
    what: &str,
    look: impl Fn() -> F,
) -> Result<T, Failure> {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if began.elapsed() > PATIENCE {
            return Err(Failure::new(format!("waited {} s in vain until {what}", PATIENCE.as_secs())));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn expect(served: &Fingerprint, version: &CertificateVersion) -> Result<(), Failure> {
    if served.to_string() == version.fingerprint_sha256 {
        return Ok(());
    }
    Err(Failure::new(format!("{served} is served, not {}", version.fingerprint_sha256)))
}

fn new_key(ports: &Ports) -> Secret {
    let mut bytes = [0; 24];
    ports.rng.fill(&mut bytes);
    Secret::new(format!("demo-{}", hex::encode(bytes)))
}
