//! When a census is kept, and for how long the next ones are taken.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::*;
use crate::domain::{Day, SCHEMAS};
use crate::engine::SetupSecret;
use crate::entity::Row;
use crate::seal::SealingKey;
use crate::signal::Signal;
use crate::storage::{
    ApplyError, Changes, Claim, Claimed, Committed, DueQuery, Fence, LeaseError, MemoryStorage, SealAudit, SealedAudit,
    Select, Storage,
};
use crate::testing::{FakePorts, ManualClock, block_on};

/// A store whose every count takes this long; it counts the censuses.
struct Slow {
    store: MemoryStorage,
    clock: ManualClock,
    pause: Duration,
    taken: Arc<AtomicU64>,
}

struct SlowView {
    view: Box<dyn Snapshot>,
    clock: ManualClock,
    pause: Duration,
}

#[async_trait]
impl Storage for Slow {
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        if view == View::PointInTime {
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
        let view = self.store.read(view).await?;
        Ok(Box::new(SlowView { view, clock: self.clock.clone(), pause: self.pause }))
    }
    async fn apply(&self, changes: Changes) -> Result<Committed, ApplyError> {
        self.store.apply(changes).await
    }
    async fn claim(&self, claim: Claim) -> Result<Claimed, StorageError> {
        self.store.claim(claim).await
    }
    async fn prolong(&self, fence: Fence, lease: Duration) -> Result<(), LeaseError> {
        self.store.prolong(fence, lease).await
    }
    async fn next_due(&self, query: &DueQuery) -> Result<Option<Duration>, StorageError> {
        self.store.next_due(query).await
    }
    async fn seal_audit(&self, seal: SealAudit) -> Result<SealedAudit, StorageError> {
        self.store.seal_audit(seal).await
    }
    fn changed(&self) -> Option<Signal> {
        None
    }
}

#[async_trait]
impl Snapshot for SlowView {
    async fn select(&self, select: &Select) -> Result<Vec<Row>, StorageError> {
        self.view.select(select).await
    }
    async fn count(&self, select: &Select) -> Result<u64, StorageError> {
        self.clock.advance(self.pause);
        self.view.count(select).await
    }
    async fn count_by_day(&self, select: &Select, column: usize) -> Result<BTreeMap<Day, u64>, StorageError> {
        self.view.count_by_day(select, column).await
    }
    fn now(&self) -> Timestamp {
        self.view.now()
    }
}

struct World {
    engine: Engine,
    clock: ManualClock,
    taken: Arc<AtomicU64>,
}

impl World {
    fn new(pause: Duration) -> Self {
        let fakes = FakePorts::seeded(3);
        let (ports, clock, taken) = (fakes.ports(), fakes.clock.clone(), Arc::new(AtomicU64::new(0)));
        let store = MemoryStorage::new(SCHEMAS, ports.clock.clone());
        let store = Slow { store, clock: clock.clone(), pause, taken: Arc::clone(&taken) };
        let secret = SetupSecret::Key(SealingKey::generate(&*ports.rng));
        let engine = block_on(Engine::builder(Arc::new(store), ports, secret).build()).unwrap();
        Self { engine, clock, taken }
    }

    fn ask(&self) -> Arc<Census> {
        block_on(self.engine.census()).unwrap()
    }

    fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Lets time pass in small steps, as it does.
    fn pass(&self, time: Duration) {
        let step = Duration::from_millis(50);
        for _ in 0..time.as_millis() / step.as_millis() {
            self.clock.advance(step);
        }
    }
}

#[test]
fn a_quick_census_is_taken_whenever_it_is_asked_for() {
    let world = World::new(Duration::ZERO);
    assert_eq!(world.ask(), world.ask());
    assert_eq!(world.taken(), 2);
    world.pass(Duration::from_secs(10));
    assert_eq!(world.taken(), 2);
}

#[test]
fn a_slow_census_is_kept_and_renewed_while_somebody_asks() {
    let world = World::new(Duration::from_millis(5));
    let first = world.ask();
    assert!(Arc::ptr_eq(&first, &world.ask()) && world.taken() == 1);
    for _ in 0..100 {
        world.pass(Duration::from_millis(500));
        let before = world.taken();
        let census = world.ask();
        assert_eq!(world.taken(), before, "the caller had to wait");
        let age = world.engine.ports().clock.now().since(census.taken_at);
        assert!(age <= AGE + Duration::from_millis(50), "{age:?}");
    }
    // 50 seconds, and one of about 100 ms begins before each second is over.
    assert!((50..=75).contains(&world.taken()), "{}", world.taken());
    world.pass(IDLE + AGE * 2);
    let last = world.taken();
    world.pass(IDLE);
    assert_eq!(world.taken(), last, "nobody asks, and it is taken all the same");
    world.ask();
    assert_eq!(world.taken(), last + 1);
    world.pass(AGE * 3);
    assert!(world.taken() > last + 1, "nothing renews it any more");
}

#[test]
fn an_engine_that_is_gone_counts_nothing() {
    let World { engine, clock, taken } = World::new(Duration::from_millis(5));
    block_on(engine.census()).unwrap();
    drop(engine);
    clock.advance(AGE * 5);
    assert_eq!(taken.load(Ordering::Relaxed), 1);
}
