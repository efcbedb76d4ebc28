//! The simulation over SQLite: the same worlds and the same promises as over the store in memory.

#![expect(
    clippy::disallowed_methods,
    reason = "a test over files of this machine, of a size that the environment chooses"
)]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::domain::{Day, SCHEMAS, Timestamp};
use certctl_core::entity::Row;
use certctl_core::ports::Clock;
use certctl_core::signal::Signal;
use certctl_core::storage::{
    ApplyError, Changes, Claim, Claimed, Committed, DueQuery, Fence, LeaseError, Octets, SealAudit, SealedAudit,
    Select, Snapshot, Storage, StorageError, View,
};
use certctl_core::testing::sim::{Sim, SimConfig};
use certctl_storage::{DatabaseConfig, SeaStorage};
use tokio::runtime::Runtime;

/// Waits for each answer where it is asked for: simulated time stands still meanwhile.
struct Blocking {
    inner: SeaStorage,
    runtime: Arc<Runtime>,
}

impl Blocking {
    fn open(path: &Path, clock: Arc<dyn Clock>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let config = DatabaseConfig::new(format!("sqlite:{}", path.display()));
        let inner = runtime.block_on(SeaStorage::connect(&config, SCHEMAS, clock)).unwrap();
        Self { inner, runtime: Arc::new(runtime) }
    }
}

#[async_trait]
impl Storage for Blocking {
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        let inner = self.runtime.block_on(self.inner.read(view))?;
        Ok(Box::new(BlockingSnapshot { inner: Some(inner), runtime: Arc::clone(&self.runtime) }))
    }
    async fn apply(&self, changes: Changes) -> Result<Committed, ApplyError> {
        self.runtime.block_on(self.inner.apply(changes))
    }
    async fn claim(&self, claim: Claim) -> Result<Claimed, StorageError> {
        self.runtime.block_on(self.inner.claim(claim))
    }
    async fn prolong(&self, fence: Fence, lease: Duration) -> Result<(), LeaseError> {
        self.runtime.block_on(self.inner.prolong(fence, lease))
    }
    async fn next_due(&self, query: &DueQuery) -> Result<Option<Duration>, StorageError> {
        self.runtime.block_on(self.inner.next_due(query))
    }
    async fn seal_audit(&self, seal: SealAudit) -> Result<SealedAudit, StorageError> {
        self.runtime.block_on(self.inner.seal_audit(seal))
    }
    fn changed(&self) -> Option<Signal> {
        self.inner.changed()
    }
}

struct BlockingSnapshot {
    /// There until it is dropped, which gives a connection back.
    inner: Option<Box<dyn Snapshot>>,
    runtime: Arc<Runtime>,
}

impl BlockingSnapshot {
    fn inner(&self) -> &dyn Snapshot {
        self.inner.as_deref().unwrap()
    }
}

impl Drop for BlockingSnapshot {
    fn drop(&mut self) {
        let _runtime = self.runtime.enter();
        self.inner.take();
    }
}

#[async_trait]
impl Snapshot for BlockingSnapshot {
    async fn select(&self, select: &Select) -> Result<Vec<Row>, StorageError> {
        self.runtime.block_on(self.inner().select(select))
    }
    async fn select_all(&self, selects: &[Select]) -> Result<Vec<Vec<Row>>, StorageError> {
        self.runtime.block_on(self.inner().select_all(selects))
    }
    async fn octets(&self, select: &Select, column: usize) -> Result<Octets, StorageError> {
        self.runtime.block_on(self.inner().octets(select, column))
    }
    async fn count(&self, select: &Select) -> Result<u64, StorageError> {
        self.runtime.block_on(self.inner().count(select))
    }
    async fn count_by_day(&self, select: &Select, column: usize) -> Result<BTreeMap<Day, u64>, StorageError> {
        self.runtime.block_on(self.inner().count_by_day(select, column))
    }
    fn now(&self) -> Timestamp {
        self.inner().now()
    }
}

fn is_long() -> bool {
    std::env::var_os("CERTCTL_TEST_LONG").is_some()
}

/// 50 in the long form.
fn seeds() -> std::ops::Range<u64> {
    0..if is_long() { 50 } else { 3 }
}

fn world(seed: u64) -> SimConfig {
    let config = match seed % 3 {
        0 => SimConfig::eventful(seed),
        1 => SimConfig::stormy(seed),
        _ => SimConfig::production(seed),
    };
    let day = Duration::from_secs(86_400);
    SimConfig { duration: config.duration.min(if is_long() { day * 30 } else { day * 5 }), ..config }
}

#[test]
fn over_sqlite_no_promise_breaks() {
    // A simulation is one thread; this machine has others.
    let halves: Vec<Vec<u64>> = (0..2).map(|half| seeds().filter(|seed| seed % 2 == half).collect()).collect();
    thread::scope(|scope| {
        for seeds in &halves {
            scope.spawn(move || seeds.iter().for_each(|seed| holds(*seed)));
        }
    });
}

fn holds(seed: u64) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("certctl.db");
    let report = Sim::over(world(seed), |clock| Arc::new(Blocking::open(&path, clock))).run();
    let report = report.unwrap_or_else(|failure| panic!("{failure:?}"));
    assert!(report.versions > 0 && report.events > 100, "nothing happened: {report:?}");
}
