//! What one unit of work wants to write: plain data, recorded first and applied at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{ApplyError, StorageError};
use crate::entity::{AppendOnly, Entity, Mutable, Record, Row, Schema, Update, Value};

/// The table of the audit trail. A set of changes that adds nothing to it is refused, unless it is bookkeeping.
pub const AUDIT_TABLE: &str = "audit_events";

/// Changes to any number of tables, applied all or nothing.
///
/// Order of effect: tables from parents to children, each its updates and then its inserts; then deletes from children
/// to parents. So closing one open job and opening the next fits in one set; handing a unique value from one updated
/// or deleted row to another does not.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    tables: BTreeMap<(usize, &'static str), TableChanges>,
    hints: BTreeSet<Hint>,
    bookkeeping: bool,
}

/// The changes to one table.
#[derive(Clone, Debug)]
pub struct TableChanges {
    /// The table.
    pub schema: &'static Schema,
    /// New rows, with their first version.
    pub inserts: Vec<Row>,
    /// New cells, with the version that must still be stored.
    pub updates: Vec<Update>,
    /// Rows to delete if they are unchanged.
    pub deletes: Vec<Pin>,
    /// Records that were only read, and must not have changed.
    pub pins: Vec<Pin>,
}

/// A record and the version that must still be stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// The record.
    pub id: String,
    /// Its version when it was read.
    pub version: i64,
}

/// A wake-up for whoever waits for something in particular, such as one agent's work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hint {
    /// What it is about, such as `agent-work`.
    pub topic: &'static str,
    /// Whom or what, such as an agent's id.
    pub key: String,
}

/// The receipt: what to wake others for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Tables whose rows changed.
    pub changed: BTreeSet<&'static str>,
    /// Hints of the operation's own.
    pub hints: BTreeSet<Hint>,
}

impl Committed {
    /// Whether rows of this entity changed.
    pub fn touches<E: Entity>(&self) -> bool {
        self.changed.contains(E::SCHEMA.table)
    }
}

impl Changes {
    /// A set that leaves no audit event: engine-internal traces such as heartbeats and times of last use.
    pub fn bookkeeping() -> Self {
        Self { bookkeeping: true, ..Self::default() }
    }

    /// Adds a record.
    pub fn insert<E: Mutable>(&mut self, entity: E) {
        self.table::<E>().inserts.push(Row { values: entity.to_values(), version: 1 });
    }

    /// Adds a record to a table that only grows.
    pub fn append<E: AppendOnly>(&mut self, entity: E) {
        self.table::<E>().inserts.push(Row { values: entity.to_values(), version: 0 });
    }

    /// Stores a record's new cells if its version is unchanged. At most once per record and set.
    pub fn update<E: Mutable>(&mut self, record: Record<E>) {
        self.table::<E>().updates.push(record.to_update());
    }

    /// Deletes a record if its version is unchanged.
    pub fn delete<E: Mutable>(&mut self, record: &Record<E>) {
        let pin = Pin { id: record.id().into(), version: record.version() };
        self.table::<E>().deletes.push(pin);
    }

    /// Deletes a record of which only an excerpt was read, if its version is unchanged.
    pub fn delete_excerpt<E: Mutable, X: Entity>(&mut self, excerpt: &Record<X>) {
        let pin = Pin { id: excerpt.id().into(), version: excerpt.version() };
        self.table::<E>().deletes.push(pin);
    }

    /// Insists that this record is unchanged when the rest is applied.
    pub fn pin<E: Mutable>(&mut self, record: &Record<E>) {
        let pin = Pin { id: record.id().into(), version: record.version() };
        self.table::<E>().pins.push(pin);
    }

    /// Insists that a record of any kind has this version when the rest is applied.
    pub(crate) fn pin_version(&mut self, schema: &'static Schema, id: &str, version: i64) {
        self.table_of(schema).pins.push(Pin { id: id.into(), version });
    }

    /// Wakes whoever waits for this, after the commit.
    pub fn signal(&mut self, hint: Hint) {
        self.hints.insert(hint);
    }

    /// Takes over another set: both are applied or neither. Bookkeeping only if both are.
    pub fn absorb(&mut self, other: Self) {
        self.bookkeeping = (self.bookkeeping || self.is_empty()) && (other.bookkeeping || other.is_empty());
        for (key, changes) in other.tables {
            let TableChanges { inserts, updates, deletes, pins, .. } = changes;
            let table = self.tables.entry(key).or_insert_with(|| TableChanges::new(changes.schema));
            table.inserts.extend(inserts);
            table.updates.extend(updates);
            table.deletes.extend(deletes);
            table.pins.extend(pins);
        }
        self.hints.extend(other.hints);
    }

    /// The changes by table, parents before children.
    pub fn tables(&self) -> impl DoubleEndedIterator<Item = &TableChanges> {
        self.tables.values()
    }

    /// Whether nothing would be written.
    pub fn is_empty(&self) -> bool {
        self.tables().all(TableChanges::writes_nothing)
    }

    /// How many rows would be written.
    pub fn len(&self) -> usize {
        self.tables().map(|t| t.inserts.len() + t.updates.len() + t.deletes.len()).sum()
    }

    /// What every backend does first: refuses what no store may hold, drops pins that an update or delete of the same
    /// record implies, and puts updates, deletes and pins in the order of ids, in which locks are taken.
    ///
    /// # Errors
    /// [`ApplyError::Unaudited`]; [`ApplyError::Stale`] for a record that appears in two versions or is changed twice;
    /// [`StorageError::Corrupt`] for a text with U+0000 or a row that does not fit its table.
    pub fn checked(mut self) -> Result<Self, ApplyError> {
        let audited = self.tables().any(|t| t.schema.table == AUDIT_TABLE && !t.inserts.is_empty());
        if !audited && !self.bookkeeping && !self.is_empty() {
            return Err(ApplyError::Unaudited);
        }
        for table in self.tables.values_mut() {
            table.check()?;
        }
        Ok(self)
    }

    /// The receipt that a commit of this set earns.
    pub fn committed(&self) -> Committed {
        let changed = self.tables().filter(|t| !t.writes_nothing()).map(|t| t.schema.table).collect();
        Committed { changed, hints: self.hints.clone() }
    }

    /// The changes by table, to be spoiled by a simulation that must notice it.
    #[cfg(feature = "testing")]
    pub(crate) fn tables_mut(&mut self) -> impl Iterator<Item = &mut TableChanges> {
        self.tables.values_mut()
    }

    /// The same without its audit events, as bookkeeping.
    #[cfg(feature = "testing")]
    pub(crate) fn without_audit(mut self) -> Self {
        self.tables.retain(|(_, table), _| *table != AUDIT_TABLE);
        self.bookkeeping = true;
        self
    }

    pub(super) fn mark_bookkeeping(&mut self) {
        self.bookkeeping = true;
    }

    fn table<E: Entity>(&mut self) -> &mut TableChanges {
        self.table_of(E::SCHEMA)
    }

    fn table_of(&mut self, schema: &'static Schema) -> &mut TableChanges {
        self.tables.entry((schema.depth(), schema.table)).or_insert_with(|| TableChanges::new(schema))
    }
}

impl TableChanges {
    fn new(schema: &'static Schema) -> Self {
        Self { schema, inserts: Vec::new(), updates: Vec::new(), deletes: Vec::new(), pins: Vec::new() }
    }

    /// Whether no row would be written; there may be pins.
    pub fn writes_nothing(&self) -> bool {
        self.inserts.is_empty() && self.updates.is_empty() && self.deletes.is_empty()
    }

    /// Every record that must be unchanged, with its version: updates, deletes and pins.
    pub fn expected(&self) -> impl Iterator<Item = (&str, i64)> {
        let updates = self.updates.iter().map(|row| (row.id(), row.version));
        updates.chain(self.deletes.iter().chain(&self.pins).map(|pin| (pin.id.as_str(), pin.version)))
    }

    fn check(&mut self) -> Result<(), ApplyError> {
        let entity = self.schema.table;
        for row in self.inserts.iter().chain(self.updates.iter().map(|update| &update.row)) {
            check_row(self.schema, row)?;
        }
        self.updates.sort_by(|a, b| a.id().cmp(b.id()));
        self.deletes.sort();
        self.pins.sort();
        self.pins.dedup();
        let mut written: BTreeMap<&str, i64> = BTreeMap::new();
        let updates = self.updates.iter().map(|row| (row.id(), row.version));
        for (id, version) in updates.chain(self.deletes.iter().map(|pin| (pin.id.as_str(), pin.version))) {
            if written.insert(id, version).is_some() {
                return Err(ApplyError::Stale { entity });
            }
        }
        let two_versions = self.pins.windows(2).any(|pair| matches!(pair, [a, b] if a.id == b.id));
        let overtaken = self.pins.iter().any(|pin| written.get(pin.id.as_str()).is_some_and(|v| *v != pin.version));
        if two_versions || overtaken {
            return Err(ApplyError::Stale { entity });
        }
        let written: BTreeSet<String> = written.into_keys().map(str::to_owned).collect();
        self.pins.retain(|pin| !written.contains(&pin.id));
        Ok(())
    }
}

fn check_row(schema: &'static Schema, row: &Row) -> Result<(), StorageError> {
    let corrupt = |column| StorageError::Corrupt { entity: schema.table, column };
    if row.values.len() != schema.columns.len() || row.id().is_empty() {
        return Err(corrupt("id"));
    }
    for (column, value) in schema.columns.iter().zip(&row.values) {
        let refused = match value {
            Value::Null => !column.nullable,
            // PostgreSQL cannot hold it, so no store may.
            Value::Text(text) => text.contains('\0'),
            Value::Boolean(_) | Value::Integer(_) | Value::Bytes(_) => false,
        };
        if refused {
            return Err(corrupt(column.name));
        }
    }
    Ok(())
}
