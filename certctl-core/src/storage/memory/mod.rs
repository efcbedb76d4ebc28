//! The reference implementation: persistent maps behind a lock, held to the same suite as the databases.
//!
//! A set of changes is applied to a clone, which shares everything it does not change; a refused set is a dropped
//! clone, and a view at a point in time is a clone that is kept.

mod apply;
mod queue;
mod seal;
mod select;
mod table;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use imbl::OrdMap;

use super::{
    ApplyError, Changes, Claim, Claimed, Committed, DueQuery, Fence, LeaseError, SealAudit, SealedAudit, Select,
    Snapshot, Storage, StorageError, View,
};
use crate::domain::{Day, Timestamp};
use crate::entity::{Row, Schema};
use crate::ports::Clock;
use crate::signal::Signal;
use table::Table;

/// Records in memory, gone with the process.
pub struct MemoryStorage {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

#[derive(Clone)]
struct State {
    tables: OrdMap<&'static str, Table>,
    schemas: &'static [&'static Schema],
}

impl MemoryStorage {
    /// An empty store of these tables; the clock is the store's.
    pub fn new(schemas: &'static [&'static Schema], clock: Arc<dyn Clock>) -> Self {
        let tables = schemas.iter().map(|schema| (schema.table, Table::new(schema))).collect();
        Self { state: Arc::new(Mutex::new(State { tables, schemas })), clock }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// A panic cannot leave the state half changed: it is replaced in one step.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStorage").finish_non_exhaustive()
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        Ok(match view {
            View::Latest => Box::new(Latest { state: self.state.clone(), clock: self.clock.clone() }),
            View::PointInTime => Box::new(PointInTime { state: self.lock().clone(), now: self.clock.now() }),
        })
    }

    async fn apply(&self, changes: Changes) -> Result<Committed, ApplyError> {
        let changes = changes.checked()?;
        let mut state = self.lock();
        let mut next = state.clone();
        next.apply(&changes)?;
        *state = next;
        Ok(changes.committed())
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StorageError> {
        let mut state = self.lock();
        let mut next = state.clone();
        let claimed = next.claim(&claim, self.clock.now())?;
        *state = next;
        Ok(claimed)
    }

    async fn prolong(&self, fence: Fence, lease: Duration) -> Result<(), LeaseError> {
        self.lock().prolong(&fence, self.clock.now() + lease)
    }

    async fn next_due(&self, query: &DueQuery) -> Result<Option<Duration>, StorageError> {
        let now = self.clock.now();
        Ok(self.lock().next_due(query)?.map(|due| due.since(now)))
    }

    async fn seal_audit(&self, seal: SealAudit) -> Result<SealedAudit, StorageError> {
        let mut state = self.lock();
        let mut next = state.clone();
        let sealed = next.seal_audit(seal)?;
        *state = next;
        Ok(sealed)
    }

    fn changed(&self) -> Option<Signal> {
        None
    }
}

struct Latest {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Snapshot for Latest {
    async fn select(&self, select: &Select) -> Result<Vec<Row>, StorageError> {
        lock(&self.state).select(select)
    }
    async fn count(&self, select: &Select) -> Result<u64, StorageError> {
        lock(&self.state).count(select)
    }
    async fn count_by_day(&self, select: &Select, column: usize) -> Result<BTreeMap<Day, u64>, StorageError> {
        lock(&self.state).count_by_day(select, column)
    }
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

struct PointInTime {
    state: State,
    now: Timestamp,
}

#[async_trait]
impl Snapshot for PointInTime {
    async fn select(&self, select: &Select) -> Result<Vec<Row>, StorageError> {
        self.state.select(select)
    }
    async fn count(&self, select: &Select) -> Result<u64, StorageError> {
        self.state.count(select)
    }
    async fn count_by_day(&self, select: &Select, column: usize) -> Result<BTreeMap<Day, u64>, StorageError> {
        self.state.count_by_day(select, column)
    }
    fn now(&self) -> Timestamp {
        self.now
    }
}

impl State {
    fn table(&self, schema: &Schema) -> Result<&Table, StorageError> {
        self.tables.get(schema.table).ok_or_else(|| unknown(schema))
    }

    fn table_mut(&mut self, schema: &Schema) -> Result<&mut Table, StorageError> {
        self.tables.get_mut(schema.table).ok_or_else(|| unknown(schema))
    }
}

fn unknown(schema: &Schema) -> StorageError {
    StorageError::fatal(format!("this store was opened without a table {}", schema.table))
}
