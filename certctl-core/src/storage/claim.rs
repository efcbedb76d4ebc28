//! Leases on the rows of a queue: jobs, outbox rows, anything with the five columns of a [`Leased`] entity.
//!
//! `due_at` is when anyone may claim a row: its first run, its retry, or the end of the current lease. A claim raises
//! `attempt`, the fencing token, and the version, so every write that an earlier holder pinned is refused as stale.

use std::collections::BTreeMap;
use std::time::Duration;

use super::StorageError;
use crate::domain::Timestamp;
use crate::entity::{Mutable, Record, Row, Schema, Value};

/// An entity whose rows are leased. Its table has the columns `state` (text), `partition` (text), `due_at`
/// (microseconds), `attempt` (integer) and `holder` (nullable text), and an index on `partition`, `due_at`, `id`
/// limited to the [`OPEN`](Self::OPEN) states.
///
/// While a row is running, whoever else writes it must end the lease with the same write (another state, no holder):
/// writing the cells back as they were read would undo a prolongation that came in between.
pub trait Leased: Mutable {
    /// The states in which a row may be claimed once it is due, [`RUNNING`](Self::RUNNING) among them. Name them in
    /// the order of the index's limit.
    const OPEN: &'static [&'static str];
    /// The state that a claim sets.
    const RUNNING: &'static str;
    /// The queue as a backend sees it.
    const QUEUE: &'static QueueSchema = &QueueSchema { schema: Self::SCHEMA, open: Self::OPEN, running: Self::RUNNING };
}

/// A queue as a backend sees it.
#[derive(Debug)]
pub struct QueueSchema {
    /// The table.
    pub schema: &'static Schema,
    /// The states in which a due row may be claimed.
    pub open: &'static [&'static str],
    /// The state that a claim sets, one of `open`.
    pub running: &'static str,
}

/// A request for work.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The queue.
    pub queue: &'static QueueSchema,
    /// Who will hold the rows.
    pub holder: String,
    /// The partitions to take from, each with its number of free permits.
    pub partitions: Vec<(String, u32)>,
    /// How long the rows will be held, by the store's clock.
    pub lease: Duration,
}

/// The answer to a [`Claim`].
#[derive(Clone, Debug)]
pub struct Claimed {
    /// When the rows were claimed, by the store's clock. The leases end `lease` later.
    pub now: Timestamp,
    /// The rows as they are now, by partition, due time and id.
    pub rows: Vec<ClaimedRow>,
}

/// A row that is leased until its `due_at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedRow {
    /// The row after the claim.
    pub row: Row,
    /// Whether it was running already: its previous holder let the lease end without a word.
    pub abandoned: bool,
}

/// A leased record.
#[derive(Clone, Debug)]
pub struct Lease<E> {
    /// The record after the claim.
    pub record: Record<E>,
    /// Whether it was running already: its previous holder let the lease end without a word.
    pub abandoned: bool,
    /// What proves that it is held.
    pub fence: Fence,
}

/// The proof of a lease.
#[derive(Clone, Debug)]
pub struct Fence {
    /// The queue.
    pub queue: &'static QueueSchema,
    /// The row.
    pub id: String,
    /// Who holds it.
    pub holder: String,
    /// The fencing token.
    pub attempt: i64,
}

/// A question for the next moment at which there is work.
#[derive(Clone, Debug)]
pub struct DueQuery {
    /// The queue.
    pub queue: &'static QueueSchema,
    /// The partitions that have a free permit.
    pub partitions: Vec<String>,
}

impl Claim {
    /// The permits by partition, in order, those with none left out. A partition that is named twice has the sum.
    pub fn permits(&self) -> BTreeMap<&str, u32> {
        let mut permits = BTreeMap::new();
        for (partition, free) in self.partitions.iter().filter(|(_, free)| *free > 0) {
            let sum: &mut u32 = permits.entry(partition.as_str()).or_default();
            *sum = sum.saturating_add(*free);
        }
        permits
    }
}

impl Claimed {
    /// The claimed records with their leases.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when a row cannot be read, or belongs to another entity.
    pub fn leases<E: Leased>(self) -> Result<Vec<Lease<E>>, StorageError> {
        let lease = |ClaimedRow { row, abandoned }| {
            let record = Record::<E>::from_row(row)?;
            let fence = Fence::of(&record)
                .ok_or(StorageError::Corrupt { entity: E::SCHEMA.table, column: QueueSchema::HOLDER })?;
            Ok(Lease { record, abandoned, fence })
        };
        self.rows.into_iter().map(lease).collect()
    }

    /// The claimed records.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when a row cannot be read, or belongs to another entity.
    pub fn rows<E: Leased>(self) -> Result<Vec<Record<E>>, StorageError> {
        self.rows.into_iter().map(|claimed| Ok(Record::from_row(claimed.row)?)).collect()
    }
}

impl Fence {
    /// The proof that a claimed record carries; `None` when nobody holds it.
    pub fn of<E: Leased>(record: &Record<E>) -> Option<Self> {
        let values = record.to_values();
        let holder = E::QUEUE.text(&values, QueueSchema::HOLDER)?.to_owned();
        let attempt = E::QUEUE.integer(&values, QueueSchema::ATTEMPT)?;
        Some(Self { queue: E::QUEUE, id: record.id().to_owned(), holder, attempt })
    }

    /// Whether a record, read later, is still held by this lease.
    pub fn holds<E: Leased>(&self, record: &Record<E>) -> bool {
        self.holds_cells(record.id(), &record.to_values())
    }

    pub(super) fn holds_cells(&self, id: &str, values: &[Value]) -> bool {
        let queue = self.queue;
        id == self.id
            && queue.text(values, QueueSchema::STATE) == Some(queue.running)
            && queue.text(values, QueueSchema::HOLDER) == Some(&self.holder)
            && queue.integer(values, QueueSchema::ATTEMPT) == Some(self.attempt)
    }
}

impl QueueSchema {
    /// The column of the state.
    pub const STATE: &'static str = "state";
    /// The column by which permits are counted.
    pub const PARTITION: &'static str = "partition";
    /// The column of the moment from which anyone may claim the row.
    pub const DUE_AT: &'static str = "due_at";
    /// The column of the fencing token.
    pub const ATTEMPT: &'static str = "attempt";
    /// The column of the holder.
    pub const HOLDER: &'static str = "holder";

    /// A cell by the name of its column.
    pub fn cell<'a>(&self, values: &'a [Value], column: &str) -> Option<&'a Value> {
        values.get(self.schema.position(column)?)
    }

    /// A text cell by the name of its column.
    pub fn text<'a>(&self, values: &'a [Value], column: &str) -> Option<&'a str> {
        self.cell(values, column)?.as_text()
    }

    /// An integer cell by the name of its column.
    pub fn integer(&self, values: &[Value], column: &str) -> Option<i64> {
        if let Value::Integer(number) = self.cell(values, column)? { Some(*number) } else { None }
    }
}
