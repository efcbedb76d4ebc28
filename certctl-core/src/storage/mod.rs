//! The storage contract: what a backend must do, in terms of data.
//!
//! Reads go through a [`Snapshot`], writes through [`Storage::apply`] and nothing else. No write transaction is open
//! while a caller waits; what was decided on a read is protected by pins, checked when the changes are applied.
//! Everything generic lives on `dyn Snapshot` and [`UnitOfWork`], so the trait is object safe.

mod changes;
mod claim;
mod error;
mod memory;
mod octets;
mod query;
mod reads;
mod seal;
mod unit;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

pub use changes::{AUDIT_TABLE, Changes, Committed, Hint, Pin, TableChanges};
pub use claim::{Claim, Claimed, ClaimedRow, DueQuery, Fence, Lease, Leased, QueueSchema};
pub use error::{ApplyError, LeaseError, StorageError};
pub use memory::MemoryStorage;
pub use octets::{OctetPage, Octets};
pub use query::{Cursor, Page, Query, Select};
pub use reads::{Found, Place, Reads};
pub use seal::{SealAudit, SealedAudit};
pub use unit::UnitOfWork;

use crate::domain::{Day, Timestamp};
use crate::entity::{Cell, Entity, Field, Record, Row};
use crate::signal::Signal;

/// A store of records.
#[async_trait]
pub trait Storage: Send + Sync {
    /// Opens a view for reading. Never waits for a writer.
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError>;

    /// Applies every change or none; the only way to write records.
    ///
    /// Implementations call [`Changes::checked`] first, which refuses what no store may hold.
    async fn apply(&self, changes: Changes) -> Result<Committed, ApplyError>;

    /// Leases due rows of a queue; no row is handed to two holders at once.
    async fn claim(&self, claim: Claim) -> Result<Claimed, StorageError>;

    /// Moves the end of a lease to `lease` from now, without touching the row's version.
    async fn prolong(&self, fence: Fence, lease: Duration) -> Result<(), LeaseError>;

    /// How long until the first row of these partitions is due; zero when one is. `None` when none is waiting.
    async fn next_due(&self, query: &DueQuery) -> Result<Option<Duration>, StorageError>;

    /// Gives audit rows that have none their places in the chain, behind all that have one: in one transaction, by one
    /// sealer at a time.
    ///
    /// The order is that of commits as far as a store can tell: what one call finds stands in front of what only a later
    /// one finds; rows that one call finds stand in the order of `timestamp` and `id`. A transaction that commits late
    /// is found late and is never put in front of what was sealed; none is forgotten, because it stays unsealed.
    async fn seal_audit(&self, seal: SealAudit) -> Result<SealedAudit, StorageError>;

    /// Fires when another process may have committed. A hint only, so that polling may be slow; `None` where no other
    /// process can write.
    fn changed(&self) -> Option<Signal>;
}

/// What several reads through one [`Snapshot`] may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Each read sees the newest commit. Costs nothing to open; safe in a unit of work, whose pins are checked at commit.
    Latest,
    /// All reads see the same point in time. Holds a connection; for reports and exports.
    PointInTime,
}

/// A column of moments.
pub trait Moment: Cell {}

impl Moment for Timestamp {}
impl Moment for Option<Timestamp> {}

/// Rows by schema: the untyped half that a backend implements. Callers use the typed half on `dyn Snapshot`.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// The rows that match, in the order of `select.sort` and then of the id.
    async fn select(&self, select: &Select) -> Result<Vec<Row>, StorageError>;

    /// The rows of each select. A backend that can asks for all of them in one trip; each sees a committed state.
    async fn select_all(&self, selects: &[Select]) -> Result<Vec<Vec<Row>>, StorageError> {
        let mut all = Vec::with_capacity(selects.len());
        for select in selects {
            all.push(self.select(select).await?);
        }
        Ok(all)
    }

    /// What a column of octets holds in the rows of a page. A backend that can joins the cells itself, and sends no row.
    async fn octets(&self, select: &Select, column: usize) -> Result<Octets, StorageError> {
        Octets::of(select, column, &self.select(select).await?)
    }

    /// How many rows match, whatever the page.
    async fn count(&self, select: &Select) -> Result<u64, StorageError>;

    /// How many rows match on each day of UTC by the moments in this column, whatever the page; days without one and
    /// rows without a moment are left out. Counted by the store: no row is read into memory.
    async fn count_by_day(&self, select: &Select, column: usize) -> Result<BTreeMap<Day, u64>, StorageError>;

    /// The time by the store's clock, which every replica shares.
    fn now(&self) -> Timestamp;
}

/// Records that are read at once where all are wanted.
const PAGE: usize = 1_000;

impl dyn Snapshot + '_ {
    /// The record with this id.
    pub async fn get<E: Entity>(&self, id: &str) -> Result<Option<Record<E>>, StorageError> {
        let mut rows = self.select(&Select::by_id(E::SCHEMA, id)).await?;
        Ok(rows.pop().map(Record::from_row).transpose()?)
    }

    /// One page of records, with the cursor of the next.
    pub async fn list<E: Entity>(&self, query: Query<E>) -> Result<Page<E>, StorageError> {
        let mut select = query.into_select()?;
        let limit = select.limit;
        // One row more than the page tells whether another page follows.
        select.limit = limit.saturating_add(1);
        let mut rows = self.select(&select).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).and_then(|row| Cursor::after(&select, row));
        let records = rows.into_iter().map(Record::from_row).collect::<Result<_, _>>()?;
        Ok(Page { records, next })
    }

    /// All records that match, page by page: for what is few, or is needed whole.
    pub async fn all<E: Entity>(&self, query: Query<E>) -> Result<Vec<Record<E>>, StorageError> {
        let query = query.limit(PAGE);
        let (mut records, mut after) = (Vec::new(), None);
        loop {
            let page = self.list(query.clone().after(after)).await?;
            records.extend(page.records);
            after = page.next;
            if after.is_none() {
                return Ok(records);
            }
        }
    }

    /// What a column of octets holds in the records of a page: what is too many records to look at each.
    pub async fn joined<E: Entity>(
        &self,
        query: Query<E>,
        field: Field<E, Vec<u8>>,
    ) -> Result<OctetPage, StorageError> {
        let select = query.into_select()?;
        Ok(self.octets(&select, field.position()).await?.into_page(&select))
    }

    /// Several reads in one trip.
    pub async fn read(&self, reads: Reads) -> Result<Found, StorageError> {
        let selects = reads.into_selects();
        Ok(Found::new(if selects.is_empty() { Vec::new() } else { self.select_all(&selects).await? }))
    }

    /// The first record that matches.
    pub async fn first<E: Entity>(&self, query: Query<E>) -> Result<Option<Record<E>>, StorageError> {
        let mut rows = self.select(&query.limit(1).into_select()?).await?;
        Ok(rows.pop().map(Record::from_row).transpose()?)
    }

    /// How many records match, whatever the page.
    pub async fn total<E: Entity>(&self, query: &Query<E>) -> Result<u64, StorageError> {
        self.count(&query.to_count()).await
    }

    /// How many records match on each day of UTC by this column, whatever the page; days without one are left out.
    pub async fn total_by_day<E: Entity, T: Moment>(
        &self,
        query: &Query<E>,
        field: Field<E, T>,
    ) -> Result<BTreeMap<Day, u64>, StorageError> {
        self.count_by_day(&query.to_count(), field.position()).await
    }
}
