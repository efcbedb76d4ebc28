//! The unit of work: reads, decisions and one commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    ApplyError, Changes, Committed, Fence, Found, Hint, Leased, Moment, Page, Query, Reads, Select, Snapshot, Storage,
    StorageError, View,
};
use crate::domain::{Day, Timestamp};
use crate::entity::{AppendOnly, Entity, Field, Mutable, Record, Schema};

/// A view plus the changes decided on it. Nothing is written before [`commit`](Self::commit), and what was recorded
/// cannot be read back.
pub struct UnitOfWork {
    storage: Arc<dyn Storage>,
    view: Box<dyn Snapshot>,
    changes: Changes,
    now: Timestamp,
}

impl std::fmt::Debug for UnitOfWork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnitOfWork").field("now", &self.now).field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl UnitOfWork {
    /// Opens a view of the newest commits.
    pub async fn begin(storage: &Arc<dyn Storage>) -> Result<Self, StorageError> {
        let view = storage.read(View::Latest).await?;
        let now = view.now();
        Ok(Self { storage: storage.clone(), view, changes: Changes::default(), now })
    }

    /// Makes this a unit that leaves no audit event, for engine-internal traces such as heartbeats.
    pub fn bookkeeping(mut self) -> Self {
        self.changes.mark_bookkeeping();
        self
    }

    /// When the unit began, by the store's clock: one moment for all that it writes.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Reads a record and pins it: the commit is refused as `Stale` if it changes meanwhile.
    pub async fn get<E: Mutable>(&mut self, id: &str) -> Result<Option<Record<E>>, StorageError> {
        let record = self.view.get::<E>(id).await?;
        if let Some(record) = &record {
            self.changes.pin(record);
        }
        Ok(record)
    }

    /// The version of a record of any kind, if it is there.
    pub(crate) async fn version(&self, schema: &'static Schema, id: &str) -> Result<Option<i64>, StorageError> {
        Ok(self.view.select(&Select::by_id(schema, id)).await?.pop().map(|row| row.version))
    }

    /// The version that the one record of this table has after the commit, if one is written.
    pub(crate) fn version_written(&self, table: &str) -> Option<i64> {
        let changed = self.changes.tables().find(|changes| changes.schema.table == table)?;
        let inserted = changed.inserts.iter().map(|row| row.version);
        inserted.chain(changed.updates.iter().map(|update| update.version + 1)).next()
    }

    /// Insists that a record of any kind has this version at the commit.
    pub(crate) fn pin_version(&mut self, schema: &'static Schema, id: &str, version: i64) {
        self.changes.pin_version(schema, id, version);
    }

    /// Reads a record without pinning it, for what may change under the decision without harm.
    pub async fn peek<E: Entity>(&self, id: &str) -> Result<Option<Record<E>>, StorageError> {
        self.view.get(id).await
    }

    /// Several reads in one trip, not pinned; [`pin`](Self::pin) what must not change.
    pub async fn read(&self, reads: Reads) -> Result<Found, StorageError> {
        self.view.read(reads).await
    }

    /// Reads a page. Listed records are not pinned; conditions over sets belong in unique indexes.
    pub async fn list<E: Entity>(&self, query: Query<E>) -> Result<Page<E>, StorageError> {
        self.view.list(query).await
    }

    /// All records that match, page by page: for what is few, or is needed whole. Not pinned.
    pub async fn all<E: Entity>(&self, query: Query<E>) -> Result<Vec<Record<E>>, StorageError> {
        self.view.all(query).await
    }

    /// The first record that matches, not pinned.
    pub async fn first<E: Entity>(&self, query: Query<E>) -> Result<Option<Record<E>>, StorageError> {
        self.view.first(query).await
    }

    /// How many records match.
    pub async fn total<E: Entity>(&self, query: &Query<E>) -> Result<u64, StorageError> {
        self.view.total(query).await
    }

    /// How many records match on each day of UTC by this column; days without one are left out.
    pub async fn total_by_day<E: Entity, T: Moment>(
        &self,
        query: &Query<E>,
        field: Field<E, T>,
    ) -> Result<BTreeMap<Day, u64>, StorageError> {
        self.view.total_by_day(query, field).await
    }

    /// The row, if this lease still holds it. The pin extends the answer to the moment of the commit.
    pub async fn held<E: Leased>(&mut self, fence: &Fence) -> Result<Option<Record<E>>, StorageError> {
        let record = self.get::<E>(&fence.id).await?;
        Ok(record.filter(|record| fence.holds(record)))
    }

    /// Insists that a record read elsewhere, such as by a list, is unchanged at the commit.
    pub fn pin<E: Mutable>(&mut self, record: &Record<E>) {
        self.changes.pin(record);
    }

    /// Adds a record.
    pub fn insert<E: Mutable>(&mut self, entity: E) {
        self.changes.insert(entity);
    }

    /// Stores a record's new cells. At most once per record.
    pub fn update<E: Mutable>(&mut self, record: Record<E>) {
        self.changes.update(record);
    }

    /// Deletes a record.
    pub fn delete<E: Mutable>(&mut self, record: &Record<E>) {
        self.changes.delete(record);
    }

    /// Deletes a record of which only an excerpt was read.
    pub fn delete_excerpt<E: Mutable, X: Entity>(&mut self, excerpt: &Record<X>) {
        self.changes.delete_excerpt::<E, X>(excerpt);
    }

    /// Adds a record to a table that only grows, such as the audit trail.
    pub fn append<E: AppendOnly>(&mut self, entity: E) {
        self.changes.append(entity);
    }

    /// Wakes whoever waits for this, after the commit.
    pub fn signal(&mut self, hint: Hint) {
        self.changes.signal(hint);
    }

    /// Whether nothing was recorded that would be written.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Gives the recorded changes to a caller that combines several.
    pub fn into_changes(self) -> Changes {
        self.changes
    }

    /// Writes everything or nothing. A unit that recorded no change succeeds without asking the store.
    pub async fn commit(self) -> Result<Committed, ApplyError> {
        let Self { storage, view, changes, .. } = self;
        // A view must not be held while waiting for the writer: it may occupy a connection.
        drop(view);
        if changes.is_empty() {
            return Ok(changes.committed());
        }
        storage.apply(changes).await
    }
}
