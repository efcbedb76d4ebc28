//! The loops of two processes over one store: agents whose requests are held get work that nobody in their process committed,
//! agents that go silent are noted once, and idle loops ask nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::connector::Registry;
use certctl_core::domain::{
    Agent, AgentId, AuditAction, AuditEvent, Certificate, Day, JobState, Lifecycle, Principal, SCHEMAS, Timestamp,
};
use certctl_core::engine::SetupSecret;
use certctl_core::entity::Row;
use certctl_core::ops::agent::WorkItem;
use certctl_core::ops::loops::{self, LoopReport};
use certctl_core::ops::{agent, certificate, issuer, job, profile};
use certctl_core::ports::Clock;
use certctl_core::seal::SealingKey;
use certctl_core::signal::Signal;
use certctl_core::storage::{
    ApplyError, Changes, Claim, Claimed, Committed, DueQuery, Fence, LeaseError, MemoryStorage, Query, SealAudit,
    SealedAudit, Select, Snapshot, Storage, StorageError, View,
};
use certctl_core::testing::{FakePorts, ScriptedCa, ScriptedIssuer, block_on};
use certctl_core::{Engine, Error};

/// Two processes over one store, with agents.
struct World {
    fakes: FakePorts,
    here: Engine,
    elsewhere: Engine,
}

fn me() -> Principal {
    Principal::embedder("test")
}

fn agent_number(number: usize) -> AgentId {
    format!("edge-{number}").parse().unwrap()
}

impl World {
    async fn new(agents: usize) -> Self {
        let fakes = FakePorts::seeded(1);
        ScriptedCa::new(1, fakes.clock.now()).attach(&fakes.http);
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(SCHEMAS, fakes.ports().clock.clone()));
        let engine = async || {
            let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
            let registry = Registry::new().issuer::<ScriptedIssuer>();
            Engine::builder(storage.clone(), fakes.ports(), secret).connectors(registry).build().await.unwrap()
        };
        let (here, elsewhere) = (engine().await, engine().await);
        let create = issuer::Create {
            id: Some("iss-near".parse().unwrap()),
            name: "near".into(),
            kind: "Scripted".into(),
            config: serde_json::json!({ "immediate": true }),
            enabled: true,
        };
        here.execute(&me(), create).await.unwrap();
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
        here.execute(&me(), create).await.unwrap();
        for number in 0..agents {
            let registration = agent::Registration {
                id: Some(agent_number(number)),
                name: format!("edge-{number}"),
                hostname: "host".into(),
                ..agent::Registration::default()
            };
            here.execute(&me(), agent::Register { registration, enrol_token: None }).await.unwrap();
        }
        Self { fakes, here, elsewhere }
    }

    /// Another process is asked for a certificate whose key this agent keeps.
    async fn order_elsewhere(&self, number: usize) {
        let name = format!("mc-{number}");
        let create = certificate::Create {
            issuer_id: "iss-near".parse().unwrap(),
            certificate_profile_id: Some("prof-server".parse().unwrap()),
            agent_id: Some(agent_number(number)),
            ..certificate::Create::new(&name, format!("{name}.example"))
        };
        self.elsewhere.execute(&me(), create).await.unwrap();
    }

    fn hold(&self, number: usize) -> Held {
        let engine = self.here.clone();
        let held = async move {
            let id = agent_number(number);
            engine.agent_work(&Principal::agent(id.clone()), &id, Duration::from_secs(50)).await
        };
        let mut held: Held = Box::pin(held);
        assert!(look(&mut held).is_pending(), "there is no work yet");
        held
    }
}

type Held = Pin<Box<dyn Future<Output = Result<Vec<WorkItem>, Error>>>>;

fn look(held: &mut Held) -> Poll<Vec<WorkItem>> {
    held.as_mut().poll(&mut Context::from_waker(Waker::noop())).map(Result::unwrap)
}

#[test]
fn work_that_another_process_committed_reaches_its_agent_within_a_second_and_nobody_else() {
    block_on(async {
        let world = World::new(3).await;
        let mut held = [world.hold(0), world.hold(1), world.hold(2)];
        world.here.step().await.unwrap();
        world.order_elsewhere(1).await;
        assert!(look(&mut held[1]).is_pending(), "nobody told this process");
        world.fakes.clock.advance(Duration::from_secs(1));
        world.here.step().await.unwrap();
        let Poll::Ready(items) = look(&mut held[1]) else { panic!("it was not looked out for") };
        assert_eq!(items.iter().map(|item| item.status).collect::<Vec<_>>(), [JobState::AwaitingCsr]);
        assert!(look(&mut held[0]).is_pending() && look(&mut held[2]).is_pending());
    });
}

#[test]
fn an_agent_that_waits_for_the_last_place_of_many_is_found() {
    block_on(async {
        let last = 1_100;
        let world = World::new(last + 1).await;
        let mut held: Vec<Held> = (0..=last).map(|number| world.hold(number)).collect();
        world.here.step().await.unwrap();
        world.order_elsewhere(last).await;
        world.fakes.clock.advance(Duration::from_secs(1));
        world.here.step().await.unwrap();
        assert!(look(&mut held[last]).is_ready());
        assert!(held[..last].iter_mut().all(|held| look(held).is_pending()));
    });
}

#[test]
fn what_was_called_off_wakes_nobody() {
    block_on(async {
        let world = World::new(1).await;
        let mut held = world.hold(0);
        world.here.step().await.unwrap();
        world.order_elsewhere(0).await;
        let jobs = world.elsewhere.execute(&me(), job::List::default()).await.unwrap();
        for found in &jobs.records {
            world.elsewhere.execute(&me(), job::Cancel { id: found.id.clone() }).await.unwrap();
        }
        assert_eq!(jobs.records.len(), 1);
        world.fakes.clock.advance(Duration::from_secs(1));
        world.here.step().await.unwrap();
        assert!(look(&mut held).is_pending());
    });
}

async fn report(engine: &Engine, name: &str) -> LoopReport {
    let found = engine.execute(&me(), loops::List).await.unwrap();
    found.into_iter().find(|report| report.name == name).unwrap()
}

async fn events(engine: &Engine, action: AuditAction) -> usize {
    let view = engine.storage().read(View::Latest).await.unwrap();
    let of = Query::<AuditEvent>::all().filter(AuditEvent::FIELDS.action.equals(action));
    view.list(of.limit(100)).await.unwrap().records.len()
}

#[test]
fn an_agent_that_goes_silent_is_noted_once_and_so_is_its_return() {
    block_on(async {
        let world = World::new(2).await;
        let silence = Agent::SILENCE;
        world.fakes.clock.advance(silence);
        for engine in [&world.here, &world.elsewhere] {
            assert_eq!(engine.step().await.unwrap().agents_silent, 0, "three are not missing yet");
        }
        let id = agent_number(0);
        let heartbeat = || agent::Heartbeat {
            agent_id: agent_number(0),
            version: String::new(),
            hostname: String::new(),
            os: String::new(),
            architecture: String::new(),
            ip_address: String::new(),
            target_kinds: vec![],
        };
        let speaker = Principal::agent(id.clone());
        world.here.execute(&speaker, heartbeat()).await.unwrap();
        world.fakes.clock.advance(Duration::from_secs(1));
        assert_eq!(world.here.next_due().await.unwrap(), Some(Duration::ZERO));
        let noted =
            world.here.step().await.unwrap().agents_silent + world.elsewhere.step().await.unwrap().agents_silent;
        assert_eq!((noted, events(&world.here, AuditAction::AgentOffline).await), (1, 1));
        // The one that was heard of is noted later, and is back then.
        world.fakes.clock.advance(silence);
        assert_eq!(world.elsewhere.step().await.unwrap().agents_silent, 1);
        world.here.execute(&speaker, heartbeat()).await.unwrap();
        world.here.execute(&speaker, heartbeat()).await.unwrap();
        assert_eq!(events(&world.here, AuditAction::AgentOnline).await, 1);
        let health = report(&world.here, "agent-health").await;
        assert_eq!((health.runs, health.last_count, health.holder, health.last_error), (2, 1, None, None));
        assert!(health.ended_at >= health.started_at && health.started_at.is_some());
        // Of what everybody runs each tells its own.
        let (here, there) =
            (report(&world.here, "audit-seal").await.runs, report(&world.elsewhere, "audit-seal").await.runs);
        assert_eq!((here, there), (2, 2));
    });
}

/// A store that counts what it is asked.
struct Counted {
    inner: Arc<dyn Storage>,
    asked: AtomicUsize,
}

struct CountedView(Box<dyn Snapshot>, Arc<Counted>);

#[async_trait]
impl Snapshot for CountedView {
    async fn select(&self, select: &Select) -> Result<Vec<Row>, StorageError> {
        self.1.asked.fetch_add(1, Relaxed);
        self.0.select(select).await
    }
    async fn count(&self, select: &Select) -> Result<u64, StorageError> {
        self.1.asked.fetch_add(1, Relaxed);
        self.0.count(select).await
    }
    async fn count_by_day(&self, select: &Select, column: usize) -> Result<BTreeMap<Day, u64>, StorageError> {
        self.0.count_by_day(select, column).await
    }
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// The store of a process, with the signal of another one.
struct Shared(Arc<Counted>, Signal);

#[async_trait]
impl Storage for Shared {
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        Ok(Box::new(CountedView(self.0.inner.read(view).await?, self.0.clone())))
    }
    async fn apply(&self, changes: Changes) -> Result<Committed, ApplyError> {
        self.0.inner.apply(changes).await
    }
    async fn claim(&self, claim: Claim) -> Result<Claimed, StorageError> {
        self.0.asked.fetch_add(1, Relaxed);
        self.0.inner.claim(claim).await
    }
    async fn prolong(&self, fence: Fence, lease: Duration) -> Result<(), LeaseError> {
        self.0.inner.prolong(fence, lease).await
    }
    async fn next_due(&self, query: &DueQuery) -> Result<Option<Duration>, StorageError> {
        self.0.asked.fetch_add(1, Relaxed);
        self.0.inner.next_due(query).await
    }
    async fn seal_audit(&self, seal: SealAudit) -> Result<SealedAudit, StorageError> {
        self.0.asked.fetch_add(1, Relaxed);
        self.0.inner.seal_audit(seal).await
    }
    fn changed(&self) -> Option<Signal> {
        Some(self.1.clone())
    }
}

#[test]
fn idle_loops_ask_the_store_nothing_and_a_commit_wakes_the_one_that_it_concerns() {
    block_on(async {
        let world = World::new(1).await;
        let (inner, signal) = (world.here.storage().clone(), Signal::default());
        let counted = Arc::new(Counted { inner, asked: AtomicUsize::new(0) });
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let registry = Registry::new().issuer::<ScriptedIssuer>();
        let storage = Arc::new(Shared(counted.clone(), signal.clone()));
        let engine = Engine::builder(storage, world.fakes.ports(), secret).connectors(registry).build().await.unwrap();
        let runner = engine.clone();
        let stop = Signal::default();
        let stopped = stop.listen();
        let mut running = Box::pin(async move { runner.run_until(stopped).await });
        let mut turn = |advance: Duration| {
            world.fakes.clock.advance(advance);
            for _ in 0..8 {
                assert!(running.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            }
        };
        turn(Duration::ZERO);
        turn(Duration::from_secs(2));
        let before = counted.asked.load(Relaxed);
        for _ in 0..20 {
            turn(Duration::from_secs(1));
        }
        let idle = counted.asked.load(Relaxed) - before;
        // What dead processes left unsealed is looked for every ten seconds, and jobs every thirty.
        assert!(idle <= 8, "{idle} questions in 20 idle seconds");

        // A certificate of this process that is due in ten seconds is renewed then, and nobody looks before.
        let renew_at = world.fakes.clock.now() + Duration::from_secs(10);
        let create = certificate::Create {
            issuer_id: "iss-near".parse().unwrap(),
            certificate_profile_id: Some("prof-server".parse().unwrap()),
            agent_id: Some(agent_number(0)),
            issue: false,
            ..certificate::Create::new("mc-due", "mc-due.example")
        };
        let made = engine.execute(&me(), create).await.unwrap().certificate;
        let due = async |engine: &Engine, at| {
            let view = engine.storage().read(View::Latest).await.unwrap();
            let mut stored = view.get::<Certificate>(made.id.as_str()).await.unwrap().unwrap();
            (stored.lifecycle, stored.renew_at, stored.renewing) = (Lifecycle::Failed, at, false);
            let mut changes = Changes::bookkeeping();
            changes.update(stored);
            engine.storage().apply(changes).await.unwrap();
        };
        due(&engine, renew_at).await;
        // An edit by the API tells the loops what the row says.
        let edit = || certificate::Update {
            id: Some(made.id.clone()),
            environment: Some("edited".into()),
            ..certificate::Update::default()
        };
        engine.execute(&me(), edit()).await.unwrap();
        turn(Duration::from_secs(1));
        assert_eq!(report(&engine, "renewal-check").await.runs, 0);
        turn(Duration::from_secs(10));
        assert_eq!(report(&engine, "renewal-check").await.runs, 1);

        // What another process committed is heard.
        due(&world.elsewhere, world.fakes.clock.now()).await;
        turn(Duration::from_millis(300));
        assert_eq!(report(&engine, "renewal-check").await.runs, 1, "nobody told");
        signal.notify();
        turn(Duration::from_millis(300));
        turn(Duration::from_millis(300));
        assert_eq!(report(&engine, "renewal-check").await.runs, 2);
        stop.notify();
        assert!(running.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready(), "it is drained");
    });
}
