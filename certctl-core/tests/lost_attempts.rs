//! Whoever takes up work and dies with it has lost an attempt, and attempts are counted: nothing that kills its process
//! each time is tried without end.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::Engine;
use certctl_core::agent::{AgentConfig, AgentRuntime, InProcess};
use certctl_core::connector::{
    ConfigError, ConnectorError, DeployError, DeployOutcome, Deployment, ProbePoint, Registry, Target, TargetContext,
    TargetPlugin, TargetSpec,
};
use certctl_core::domain::{
    ActorType, AgentId, AuditAction, AuditEvent, Job, JobState, JobType, KeyAlgorithm, Notification, NotificationState,
    NotificationType, Principal, SCHEMAS, SubjectNames, TargetId,
};
use certctl_core::engine::{Cadence, NotifierConfig, SetupSecret};
use certctl_core::entity::Record;
use certctl_core::ops::{agent, certificate, issuer, profile, target};
use certctl_core::pki;
use certctl_core::ports::{
    Files, HttpClient, HttpError, HttpOptions, HttpRequest, HttpResponse, Ports, Spawner, Task, WriteOptions,
};
use certctl_core::seal::SealingKey;
use certctl_core::storage::{MemoryStorage, Query, Storage, View};
use certctl_core::testing::{
    FakePorts, InlineSpawner, NoticeBoard, RecordingNotifier, ScriptedCa, ScriptedIssuer, block_on,
};
use futures_util::FutureExt;
use serde_json::json;

/// Where certificates are put.
struct Shelf {
    id: TargetId,
    files: Arc<dyn Files>,
}

/// Where a shelf notes that it was put in order.
const IN_ORDER: &str = "/shelf/in-order";

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").field("id", &self.id).finish_non_exhaustive()
    }
}

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
    fn build((): (), cx: &TargetContext) -> Result<Arc<dyn Target>, ConnectorError> {
        Ok(Arc::new(Self { id: cx.id.clone(), files: cx.ports.files.clone() }))
    }
}

/// Nobody comes back from it.
#[async_trait]
impl Target for Shelf {
    async fn recover(&self) -> Result<(), DeployError> {
        let options = WriteOptions { mode: 0o600, ..WriteOptions::default() };
        self.files.create_dir_all(Path::new("/shelf"), 0o700).await.unwrap();
        self.files.write(Path::new(IN_ORDER), self.id.as_str().as_bytes(), &options).await.unwrap();
        Ok(())
    }
    async fn deploy(&self, _: Deployment<'_>) -> Result<DeployOutcome, DeployError> {
        std::future::pending().await
    }
    fn probe_point(&self) -> Option<ProbePoint> {
        None
    }
}

/// Runs tasks until the process dies: then none of them takes another step.
#[derive(Clone, Default)]
struct Process {
    tasks: InlineSpawner,
    dead: Arc<AtomicBool>,
}

impl Spawner for Process {
    fn spawn(&self, mut task: Task) {
        let dead = Arc::clone(&self.dead);
        self.tasks.spawn(Box::pin(poll_fn(move |cx| {
            if dead.load(Ordering::SeqCst) { Poll::Ready(()) } else { task.as_mut().poll(cx) }
        })));
    }
    fn blocking(&self, work: Box<dyn FnOnce() + Send>) -> Task {
        self.tasks.blocking(work)
    }
}

/// A world that never answers.
struct Silence;

#[async_trait]
impl HttpClient for Silence {
    async fn send(&self, _: HttpRequest, _: &HttpOptions) -> Result<HttpResponse, HttpError> {
        std::future::pending().await
    }
}

/// One store, and the processes that come and go over it.
struct World {
    fakes: FakePorts,
    storage: Arc<dyn Storage>,
    ca: ScriptedCa,
    board: NoticeBoard,
}

/// One process: an engine that dies when it is told to.
struct Life {
    engine: Engine,
    process: Process,
}

const ID: &str = "mc-a";

fn me() -> Principal {
    Principal::embedder("test")
}

impl World {
    fn new(seed: u64) -> Self {
        let fakes = FakePorts::seeded(seed);
        let ports = fakes.ports();
        let (ca, board) = (ScriptedCa::new(seed, ports.clock.now()), NoticeBoard::new());
        ca.attach(&fakes.http);
        board.attach(&fakes.http);
        let storage = Arc::new(MemoryStorage::new(SCHEMAS, ports.clock.clone()));
        Self { fakes, storage, ca, board }
    }

    /// A process starts; what it calls answers or does not.
    async fn life(&self, answers: bool) -> Life {
        let process = Process::default();
        let http: Arc<dyn HttpClient> = if answers { Arc::new(self.fakes.http.clone()) } else { Arc::new(Silence) };
        let ports = Ports { spawner: Arc::new(process.clone()), http, ..self.fakes.ports() };
        let registry =
            Registry::new().issuer::<ScriptedIssuer>().notifier::<RecordingNotifier>().target_spec::<Shelf>();
        let notifier = NotifierConfig { name: "board".into(), kind: "Recording".into(), config: json!({}) };
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let builder = Engine::builder(self.storage.clone(), ports, secret).connectors(registry).notifier(notifier);
        Life { engine: builder.build().await.unwrap(), process }
    }

    /// An issuer of that pace, and a certificate for it.
    async fn prepare(&self, immediate: bool, target_ids: Vec<&str>) {
        let engine = self.life(true).await.engine;
        let create = issuer::Create {
            id: Some("iss-far".parse().unwrap()),
            name: "far".into(),
            kind: "Scripted".into(),
            config: json!({ "immediate": immediate }),
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
        for id in &target_ids {
            let registration = agent::Registration {
                id: Some("edge-1".parse().unwrap()),
                name: "edge-1".into(),
                hostname: "host".into(),
                ..agent::Registration::default()
            };
            engine.execute(&me(), agent::Register { registration, enrol_token: None }).await.unwrap();
            let create = target::Create {
                id: Some(id.parse().unwrap()),
                name: "shelf".into(),
                kind: "Shelf".into(),
                agent_id: "edge-1".parse().unwrap(),
                config: json!({}),
                enabled: true,
                client_auth: false,
            };
            engine.execute(&me(), create).await.unwrap();
        }
        let create = certificate::Create {
            id: Some(ID.parse().unwrap()),
            issuer_id: "iss-far".parse().unwrap(),
            certificate_profile_id: Some("prof-server".parse().unwrap()),
            target_ids: target_ids.iter().map(|id| id.parse().unwrap()).collect(),
            ..certificate::Create::new("a", "a.example.com")
        };
        engine.execute(&me(), create).await.unwrap();
    }

    async fn csr_pem(&self) -> String {
        let key = self.fakes.keys.generate(KeyAlgorithm::EcdsaP256, &*self.fakes.rng).await.unwrap();
        let names = SubjectNames::new("a.example.com", &[]).unwrap();
        pki::csr::build(&names, &*key.signer).await.unwrap().to_pem()
    }

    async fn job(&self, kind: JobType) -> Record<Job> {
        let view = self.storage.read(View::Latest).await.unwrap();
        view.first(Query::all().filter(Job::FIELDS.kind.equals(kind))).await.unwrap().unwrap()
    }

    async fn notification(&self) -> Record<Notification> {
        let view = self.storage.read(View::Latest).await.unwrap();
        view.first(Query::all()).await.unwrap().unwrap()
    }

    /// How often the engine itself recorded that.
    async fn recorded(&self, action: AuditAction) -> usize {
        let view = self.storage.read(View::Latest).await.unwrap();
        let of = Query::<AuditEvent>::all().filter(AuditEvent::FIELDS.action.equals(action)).limit(100);
        let events = view.list(of).await.unwrap().records;
        assert!(events.iter().all(|event| event.actor_type == ActorType::System), "{events:?}");
        events.len()
    }

    fn pass_a_lease(&self, lease: Duration) {
        self.fakes.clock.advance(lease + Duration::from_secs(1));
    }
}

impl Life {
    /// Takes up what is due, a few steps far.
    async fn work(&self) {
        for _ in 0..3 {
            self.engine.step().await.unwrap();
        }
    }

    /// The process dies with all that it is at, and its lease ends.
    fn die(self, world: &World) {
        self.process.dead.store(true, Ordering::SeqCst);
        world.pass_a_lease(Cadence::default().lease);
    }
}

#[test]
fn a_job_that_kills_its_process_each_time_ends_as_failed() {
    block_on(async {
        let world = World::new(1);
        world.prepare(false, vec![]).await;
        let submit = certificate::SubmitCsr { id: ID.parse().unwrap(), csr_pem: world.csr_pem().await };
        let life = world.life(false).await;
        life.engine.execute(&me(), submit).await.unwrap();
        life.work().await;
        assert_eq!(world.job(JobType::Issuance).await.state, JobState::Running);
        life.die(&world);
        for attempts in [1, 2] {
            let life = world.life(false).await;
            life.work().await;
            let job = world.job(JobType::Issuance).await;
            assert_eq!((job.state, job.attempts, job.exhausted), (JobState::Running, attempts, false));
            assert!(job.last_error.as_deref().unwrap().contains("let the lease end without a word"), "{job:?}");
            life.die(&world);
        }
        assert_eq!(world.recorded(AuditAction::JobRetry).await, 2);
        let life = world.life(true).await;
        life.work().await;
        let job = world.job(JobType::Issuance).await;
        assert_eq!((job.state, job.attempts, job.exhausted), (JobState::Failed, 3, true));
        assert!(job.last_error.as_deref().unwrap().contains("let the lease end without a word"), "{job:?}");
        assert_eq!(world.recorded(AuditAction::RenewalJobFailed).await, 1);
        assert!(world.ca.calls().is_empty(), "the issuer was asked all the same");
        assert_eq!(world.board.notices()[0].event, "RenewalFailure");
    });
}

#[test]
fn the_attempt_after_a_lost_one_goes_on_at_once() {
    block_on(async {
        let world = World::new(2);
        world.prepare(false, vec![]).await;
        let submit = certificate::SubmitCsr { id: ID.parse().unwrap(), csr_pem: world.csr_pem().await };
        let life = world.life(false).await;
        life.engine.execute(&me(), submit).await.unwrap();
        life.work().await;
        life.die(&world);
        let life = world.life(true).await;
        life.work().await;
        let job = world.job(JobType::Issuance).await;
        assert_eq!((job.state, job.attempts, &job.last_error), (JobState::Completed, 2, &None));
        assert_eq!(world.ca.issued().len(), 1);
    });
}

#[test]
fn a_deployment_that_an_agent_loses_each_time_ends_as_failed() {
    block_on(async {
        let world = World::new(3);
        world.prepare(true, vec!["t-shelf"]).await;
        let (life, edge) = (world.life(true).await, "edge-1".parse::<AgentId>().unwrap());
        let (agent_id, certificate_id) = (edge.clone(), ID.parse().unwrap());
        let submit = agent::SubmitCsr { agent_id, certificate_id, csr_pem: world.csr_pem().await };
        life.engine.execute(&me(), submit).await.unwrap();
        for attempts in [0, 1, 2] {
            let items = life.engine.agent_work(&me(), &edge, Duration::ZERO).await.unwrap();
            assert_eq!(items.iter().map(|item| item.kind).collect::<Vec<_>>(), [JobType::Deployment]);
            let job = world.job(JobType::Deployment).await;
            assert_eq!((job.state, job.attempts), (JobState::Running, attempts));
            // Asked again within the lease it is the same attempt.
            assert_eq!(life.engine.agent_work(&me(), &edge, Duration::ZERO).await.unwrap(), items);
            assert_eq!(world.job(JobType::Deployment).await.attempts, attempts);
            world.pass_a_lease(Cadence::default().agent_lease);
        }
        assert!(life.engine.agent_work(&me(), &edge, Duration::ZERO).await.unwrap().is_empty());
        let job = world.job(JobType::Deployment).await;
        assert_eq!((job.state, job.attempts, job.exhausted), (JobState::Failed, 3, true));
        assert_eq!(world.recorded(AuditAction::JobRetry).await, 2);
        assert_eq!(world.recorded(AuditAction::DeploymentFailed).await, 1);
    });
}

#[test]
fn a_deployment_that_kills_its_agent_each_time_is_a_failed_attempt() {
    block_on(async {
        let world = World::new(5);
        world.prepare(true, vec!["t-shelf"]).await;
        let (life, edge) = (world.life(true).await, "edge-1".parse::<AgentId>().unwrap());
        let start = async || {
            let control = Arc::new(InProcess::new(life.engine.clone(), edge.clone()));
            let registry = Registry::new().target::<Shelf>();
            let config = AgentConfig::new(edge.clone(), "/var/lib/certctl");
            AgentRuntime::start(control, world.fakes.ports(), registry, config).await.unwrap()
        };
        assert_eq!(start().await.step(Duration::ZERO).await.unwrap(), 1, "the request");
        for _ in 0..3 {
            // It comes back within its lease, so that the engine sees nothing but an agent that works.
            let agent = start().await;
            agent.heartbeat().await.unwrap();
            assert!(agent.step(Duration::ZERO).now_or_never().is_none(), "it is at it, and dies");
            let job = world.job(JobType::Deployment).await;
            assert_eq!((job.state, job.attempts), (JobState::Running, 0));
        }
        let agent = start().await;
        agent.step(Duration::ZERO).await.unwrap();
        let job = world.job(JobType::Deployment).await;
        assert_eq!((job.state, job.attempts, job.exhausted), (JobState::Failed, 1, false));
        assert!(job.last_error.as_deref().unwrap().contains("died 3 times"), "{job:?}");
        assert_eq!(agent.step(Duration::ZERO).await.unwrap(), 0, "the next attempt has its time");
        world.fakes.clock.advance(Duration::from_hours(1));
        assert!(agent.step(Duration::ZERO).now_or_never().is_none(), "and is counted anew");
    });
}

#[test]
fn an_agent_that_comes_back_puts_what_it_left_in_order_before_it_asks_anybody() {
    block_on(async {
        let world = World::new(6);
        world.prepare(true, vec!["t-shelf"]).await;
        let (life, edge) = (world.life(true).await, "edge-1".parse::<AgentId>().unwrap());
        let files = &world.fakes.files;
        let start = async || {
            let control = Arc::new(InProcess::new(life.engine.clone(), edge.clone()));
            let config = AgentConfig::new(edge.clone(), "/var/lib/certctl");
            let registry = Registry::new().target::<Shelf>();
            AgentRuntime::start(control, world.fakes.ports(), registry, config).await.unwrap()
        };
        let agent = start().await;
        assert_eq!(agent.step(Duration::ZERO).await.unwrap(), 1, "the request");
        assert_eq!(files.contents(IN_ORDER), None, "nothing was begun");
        assert!(agent.step(Duration::ZERO).now_or_never().is_none(), "it is at the deployment, and dies");
        files.remove(Path::new(IN_ORDER)).await.unwrap();
        start().await;
        assert_eq!(files.contents(IN_ORDER).as_deref(), Some(b"t-shelf".as_slice()));

        // A day later nobody comes back to it.
        files.remove(Path::new(IN_ORDER)).await.unwrap();
        world.fakes.clock.advance(Duration::from_hours(25));
        start().await;
        assert!(files.contents(IN_ORDER).is_some(), "once more");
        files.remove(Path::new(IN_ORDER)).await.unwrap();
        start().await;
        assert_eq!(files.contents(IN_ORDER), None);
    });
}

#[test]
fn a_notice_that_kills_its_process_each_time_dies() {
    block_on(async {
        let world = World::new(4);
        world.prepare(true, vec![]).await;
        let submit = certificate::SubmitCsr { id: ID.parse().unwrap(), csr_pem: world.csr_pem().await };
        world.life(true).await.engine.execute(&me(), submit).await.unwrap();
        let notification = world.notification().await;
        assert_eq!((notification.kind, notification.retry_count), (NotificationType::RenewalSuccess, 0));
        for failures in 1..=5 {
            let life = world.life(false).await;
            life.work().await;
            assert_eq!(world.notification().await.state, NotificationState::Sending);
            life.die(&world);
            world.life(true).await.work().await;
            let notification = world.notification().await;
            assert_eq!(notification.retry_count, failures);
            assert!(notification.last_error.as_deref().unwrap().contains("an attempt was lost"), "{notification:?}");
            world.fakes.clock.advance(Duration::from_hours(1));
        }
        assert_eq!(world.notification().await.state, NotificationState::Dead);
        assert!(world.board.notices().is_empty());
    });
}

/// Answers when it is told to, and not before.
struct Late {
    to: Arc<dyn HttpClient>,
    may: Arc<AtomicBool>,
    clock: Arc<dyn certctl_core::ports::Clock>,
}

#[async_trait]
impl HttpClient for Late {
    async fn send(&self, request: HttpRequest, options: &HttpOptions) -> Result<HttpResponse, HttpError> {
        while !self.may.load(Ordering::SeqCst) {
            self.clock.sleep_until(self.clock.monotonic() + Duration::from_secs(1)).await;
        }
        self.to.send(request, options).await
    }
}

/// Panics so often, and then does what it should.
struct Panics {
    to: Arc<dyn HttpClient>,
    left: Arc<std::sync::atomic::AtomicUsize>,
}

#[async_trait]
impl HttpClient for Panics {
    async fn send(&self, request: HttpRequest, options: &HttpOptions) -> Result<HttpResponse, HttpError> {
        let counted = |left: usize| left.checked_sub(1);
        assert!(self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted).is_err(), "a planted panic");
        self.to.send(request, options).await
    }
}

/// As a runtime does it: a task that panics ends, and the others go on.
#[derive(Clone, Default)]
struct Careful(InlineSpawner);

impl Spawner for Careful {
    fn spawn(&self, task: Task) {
        self.0.spawn(Box::pin(std::panic::AssertUnwindSafe(task).catch_unwind().map(drop)));
    }
    fn blocking(&self, work: Box<dyn FnOnce() + Send>) -> Task {
        self.0.blocking(work)
    }
}

impl World {
    /// An engine over the same store with another network and other tasks.
    async fn engine(&self, http: Arc<dyn HttpClient>, spawner: Arc<dyn Spawner>) -> Engine {
        let ports = Ports { spawner, http, ..self.fakes.ports() };
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let registry =
            Registry::new().issuer::<ScriptedIssuer>().notifier::<RecordingNotifier>().target_spec::<Shelf>();
        Engine::builder(self.storage.clone(), ports, secret).connectors(registry).build().await.unwrap()
    }

    async fn versions(&self) -> usize {
        let view = self.storage.read(View::Latest).await.unwrap();
        view.list(Query::<certctl_core::domain::Version>::all().limit(500)).await.unwrap().records.len()
    }
}

/// Whoever was slow and lost the lease finds that somebody else did the work, and stores nothing: the lease has a number.
#[test]
fn sf08_who_lost_the_lease_stores_nothing_beside_who_has_it() {
    block_on(async {
        let world = World::new(61);
        world.prepare(false, vec![]).await;
        let may = Arc::new(AtomicBool::new(false));
        let clock = world.fakes.ports().clock;
        let late = Late { to: Arc::new(world.fakes.http.clone()), may: Arc::clone(&may), clock };
        let slow = world.engine(Arc::new(late), Arc::new(InlineSpawner::new())).await;
        let submit = certificate::SubmitCsr { id: ID.parse().unwrap(), csr_pem: world.csr_pem().await };
        slow.execute(&me(), submit).await.unwrap();
        for _ in 0..3 {
            slow.step().await.unwrap();
        }
        let first = world.job(JobType::Issuance).await;
        assert_eq!(first.state, JobState::Running);
        // A pause as of a process that was stopped: nothing of it runs, and the lease ends.
        world.pass_a_lease(Cadence::default().lease);
        let quick = world.life(true).await;
        quick.work().await;
        let second = world.job(JobType::Issuance).await;
        assert_eq!(second.state, JobState::Completed);
        assert!(second.attempt > first.attempt, "each lease has a number of its own");
        may.store(true, Ordering::SeqCst);
        for _ in 0..5 {
            world.fakes.clock.advance(Duration::from_secs(2));
            slow.step().await.unwrap();
        }
        assert_eq!((world.versions().await, world.ca.issued().len()), (1, 1));
        assert_eq!(world.job(JobType::Issuance).await.attempts, second.attempts, "and writes nothing over it");
    });
}

/// A network that swallows everything delays neither the start nor what needs no network.
#[test]
fn sf09_a_start_waits_for_nobody_outside() {
    block_on(async {
        let world = World::new(62);
        world.prepare(false, vec![]).await;
        let submit = certificate::SubmitCsr { id: ID.parse().unwrap(), csr_pem: world.csr_pem().await };
        let life = world.life(false).await;
        life.engine.execute(&me(), submit).await.unwrap();
        life.die(&world);
        // Nothing here lets time pass: what waited for an answer or a timeout would not be ready.
        let life = world.life(false).now_or_never().expect("the start waits for somebody");
        for _ in 0..3 {
            life.engine.step().now_or_never().expect("a step waits for the CA").unwrap();
        }
        assert_eq!(world.job(JobType::Issuance).await.state, JobState::Running, "the CA is asked, in a task");
        let other = certificate::Create {
            issuer_id: "iss-far".parse().unwrap(),
            certificate_profile_id: Some("prof-server".parse().unwrap()),
            ..certificate::Create::new("b", "b.example.com")
        };
        life.engine.execute(&me(), other).now_or_never().expect("the API waits for the CA").unwrap();
    });
}

/// More jobs panic than there are places for jobs at once: none of the places is lost, nor any of the names.
#[test]
fn sf11_a_job_that_panics_gives_back_its_place_and_its_name() {
    block_on(async {
        let world = World::new(63);
        world.prepare(false, vec![]).await;
        let left = Arc::new(std::sync::atomic::AtomicUsize::new(20));
        let panics = Panics { to: Arc::new(world.fakes.http.clone()), left: Arc::clone(&left) };
        let engine = world.engine(Arc::new(panics), Arc::new(Careful::default())).await;
        assert!(Cadence::default().permits_per_partition < 20, "more than may run at once");
        for number in 0..20 {
            let id = format!("mc-{number}");
            let name = format!("{id}.example.com");
            let create = certificate::Create {
                id: Some(id.parse().unwrap()),
                issuer_id: "iss-far".parse().unwrap(),
                certificate_profile_id: Some("prof-server".parse().unwrap()),
                ..certificate::Create::new(id.clone(), name.clone())
            };
            engine.execute(&me(), create).await.unwrap();
            let key = world.fakes.keys.generate(KeyAlgorithm::EcdsaP256, &*world.fakes.rng).await.unwrap();
            let csr = pki::csr::build(&SubjectNames::new(&name, &[]).unwrap(), &*key.signer).await.unwrap();
            let submit = certificate::SubmitCsr { id: id.parse().unwrap(), csr_pem: csr.to_pem() };
            engine.execute(&me(), submit).await.unwrap();
        }
        for _ in 0..40 {
            engine.step().await.unwrap();
            world.pass_a_lease(Cadence::default().lease);
        }
        assert_eq!(left.load(Ordering::SeqCst), 0, "all panics were had");
        assert_eq!(world.versions().await, 20, "and all certificates after them, on the same engine");
    });
}
