//! Planted defects of stores: below the recorder, which must notice.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Defect;
use super::chance::Chance;
use super::clock::NodeClock;
use crate::domain::{AuditEvent, Job, Notification, SCHEMAS, Version};
use crate::entity::{Entity, Row, Schema, Update};
use crate::signal::Signal;
use crate::storage::{
    ApplyError, Changes, Claim, Claimed, Committed, DueQuery, Fence, LeaseError, MemoryStorage, SealAudit, SealedAudit,
    Select, Snapshot, Storage, StorageError, View,
};
use crate::testing::ManualClock;

/// The store in memory, as good as it is, or with one defect.
pub(super) struct Store {
    inner: MemoryStorage,
    clock: NodeClock,
    defect: Option<Defect>,
    chance: Chance,
}

impl Store {
    pub(super) fn new(truth: &ManualClock, seed: u64, defect: Option<Defect>) -> Self {
        let clock = NodeClock::new(truth);
        let schemas = match defect {
            Some(Defect::SerialReused) => WITHOUT_UNIQUE_SERIALS,
            Some(Defect::NoUniqueOpenJob) => WITHOUT_UNIQUE_SLOTS,
            Some(Defect::AlertsRepeated) => WITHOUT_UNIQUE_NOTICES,
            _ => SCHEMAS,
        };
        let inner = MemoryStorage::new(schemas, Arc::new(clock.clone()));
        Self { inner, clock, defect, chance: Chance::derive(seed, "broken store", 0) }
    }

    fn strikes(&self, defect: Defect, one_in: u64) -> bool {
        self.defect == Some(defect) && self.chance.one_in(one_in)
    }
}

#[async_trait]
impl Storage for Store {
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        if self.strikes(Defect::ClockGoesBack, 500) {
            self.clock.set_skew(-3_600_000_000);
        }
        self.inner.read(view).await
    }

    async fn apply(&self, mut changes: Changes) -> Result<Committed, ApplyError> {
        if self.strikes(Defect::ForgetsWrites, 50) {
            return Ok(changes.checked()?.committed());
        }
        if self.strikes(Defect::LosesAuditEvents, 20) {
            changes = changes.without_audit();
        }
        if self.defect == Some(Defect::NoFencing) {
            changes = rebased(&*self.inner.read(View::Latest).await?, changes).await?;
        }
        self.inner.apply(changes).await
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StorageError> {
        if !self.strikes(Defect::ClaimsHeldRows, 4) {
            return self.inner.claim(claim).await;
        }
        let early = claim.lease;
        self.clock.set_skew(i64::try_from(early.as_micros()).unwrap_or(0));
        let claimed = self.inner.claim(claim).await;
        self.clock.set_skew(0);
        claimed.map(|claimed| Claimed { now: claimed.now - early, ..claimed })
    }

    async fn prolong(&self, fence: Fence, lease: Duration) -> Result<(), LeaseError> {
        self.inner.prolong(fence, lease).await
    }

    async fn next_due(&self, query: &DueQuery) -> Result<Option<Duration>, StorageError> {
        self.inner.next_due(query).await
    }

    async fn seal_audit(&self, seal: SealAudit) -> Result<SealedAudit, StorageError> {
        self.inner.seal_audit(seal).await
    }

    fn changed(&self) -> Option<Signal> {
        None
    }
}

/// The same changes, as if everything had just been read.
pub(super) async fn rebased(view: &dyn Snapshot, mut changes: Changes) -> Result<Changes, StorageError> {
    for table in changes.tables_mut() {
        table.pins.clear();
        for update in &mut table.updates {
            let stored = view.select(&Select::by_id(table.schema, update.id())).await?;
            let version = stored.first().map_or(update.version, |stored| stored.version);
            *update = Update::of(Row { version, ..update.row.clone() });
        }
    }
    Ok(changes)
}

const LOOSE_VERSIONS: &Schema = &Schema {
    table: Version::SCHEMA.table,
    columns: Version::SCHEMA.columns,
    indexes: &[],
    references: &[],
    mutable: true,
};
const LOOSE_JOBS: &Schema =
    &Schema { table: Job::SCHEMA.table, columns: Job::SCHEMA.columns, indexes: &[], references: &[], mutable: true };

const LOOSE_NOTICES: &Schema = &Schema {
    table: Notification::SCHEMA.table,
    columns: Notification::SCHEMA.columns,
    indexes: &[],
    references: &[],
    mutable: true,
};

const WITHOUT_UNIQUE_NOTICES: &[&Schema] = &replaced(Notification::SCHEMA.table, LOOSE_NOTICES);
const WITHOUT_UNIQUE_SERIALS: &[&Schema] = &replaced(Version::SCHEMA.table, LOOSE_VERSIONS);
const WITHOUT_UNIQUE_SLOTS: &[&Schema] = &replaced(Job::SCHEMA.table, LOOSE_JOBS);

/// All tables, but this one as it is given.
const fn replaced(table: &str, by: &'static Schema) -> [&'static Schema; SCHEMAS.len()] {
    let mut schemas = [AuditEvent::SCHEMA; SCHEMAS.len()];
    let mut position = 0;
    while position < SCHEMAS.len() {
        schemas[position] =
            if same(SCHEMAS[position].table.as_bytes(), table.as_bytes()) { by } else { SCHEMAS[position] };
        position += 1;
    }
    schemas
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut position = 0;
    while position < left.len() {
        if left[position] != right[position] {
            return false;
        }
        position += 1;
    }
    true
}
