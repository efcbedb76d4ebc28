//! Entities as data: one list of columns gives the struct, its typed fields, its schema and the conversion of rows.
//!
//! Everything that stores or lists records works from this description; no backend knows an entity by name.

mod field;
mod macros;
mod schema;
mod value;

pub use field::{Condition, Field, Sort, Test};
pub use schema::{Column, Columns, Index, Only, Reference, Row, Schema, Update};
pub use value::{Cell, Json, Kind, Value};

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A plain struct with a table. Written with [`entity!`](crate::entity!), never by hand.
pub trait Entity: Clone + Send + Sync + 'static {
    /// The table.
    const SCHEMA: &'static Schema;
    /// The primary key.
    fn id(&self) -> &str;
    /// The cells, in the order of `SCHEMA.columns`.
    fn to_values(&self) -> Vec<Value>;
    /// The inverse of [`to_values`](Self::to_values).
    ///
    /// # Errors
    /// The name of the column whose value this type cannot hold.
    fn from_values(values: Vec<Value>) -> Result<Self, &'static str>;
}

/// Entities that carry a version and may be updated and deleted.
pub trait Mutable: Entity {}

/// Entities that are only ever added to, such as the audit trail.
pub trait AppendOnly: Entity {}

/// An entity as it was read, with the version that an update will insist on.
///
/// Only a read makes one, so nothing can be updated that was not read first.
#[derive(Clone, Debug)]
pub struct Record<E> {
    entity: E,
    stored: Arc<[Value]>,
    version: i64,
}

impl<E: Entity> Record<E> {
    /// Reads a stored row.
    ///
    /// # Errors
    /// [`CorruptRow`] when a cell holds a value that its column must not hold.
    pub fn from_row(row: Row) -> Result<Self, CorruptRow> {
        let (version, stored) = (row.version, row.values.as_slice().into());
        let entity = E::from_values(row.values).map_err(|column| CorruptRow { entity: E::SCHEMA.table, column })?;
        Ok(Self { entity, stored, version })
    }

    /// The stored version, which every update raises by one.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The row as it should be stored now, with the columns that differ from what was read.
    pub fn to_update(&self) -> Update {
        let values = self.entity.to_values();
        let differs = |position: &usize| values.get(*position) != self.stored.get(*position);
        let changed = (0..values.len()).filter(differs).collect();
        Update { row: Row { values, version: self.version }, changed }
    }

    /// The entity without its version.
    pub fn into_entity(self) -> E {
        self.entity
    }
}

impl<E> Deref for Record<E> {
    type Target = E;
    fn deref(&self) -> &E {
        &self.entity
    }
}

impl<E> DerefMut for Record<E> {
    fn deref_mut(&mut self) -> &mut E {
        &mut self.entity
    }
}

/// A stored cell holds a value that its column must not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column} of {entity} holds a value it must not hold")]
pub struct CorruptRow {
    /// The table.
    pub entity: &'static str,
    /// The column.
    pub column: &'static str,
}
