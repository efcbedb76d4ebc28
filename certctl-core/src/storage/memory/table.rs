//! One table: its rows by id, and by the key of each index that covers them.

use std::sync::Arc;

use imbl::OrdMap;

use crate::entity::{Index, Row, Schema, Value};

#[derive(Clone)]
pub(super) struct Table {
    pub(super) schema: &'static Schema,
    rows: OrdMap<String, Arc<Row>>,
    indexes: Vec<IndexRows>,
}

/// The rows that an index covers, by their cells in its columns and then by id.
#[derive(Clone)]
struct IndexRows {
    index: &'static Index,
    columns: Arc<[usize]>,
    only: Option<usize>,
    entries: OrdMap<Vec<Value>, Arc<Row>>,
}

impl Table {
    pub(super) fn new(schema: &'static Schema) -> Self {
        let index_rows = |index: &'static Index| IndexRows {
            index,
            columns: index.columns.iter().filter_map(|column| schema.position(column)).collect(),
            only: index.only.as_ref().and_then(|only| schema.position(only.column)),
            entries: OrdMap::new(),
        };
        Self { schema, rows: OrdMap::new(), indexes: schema.indexes.iter().map(index_rows).collect() }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Arc<Row>> {
        self.rows.get(id)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.rows.values()
    }

    /// Puts a row in the place of the one with its id.
    pub(super) fn put(&mut self, row: Row) {
        self.remove(row.id());
        let row = Arc::new(row);
        for index in &mut self.indexes {
            if let Some(mut key) = index.key(&row) {
                key.push(Value::Text(row.id().to_owned()));
                index.entries.insert(key, row.clone());
            }
        }
        self.rows.insert(row.id().to_owned(), row);
    }

    pub(super) fn remove(&mut self, id: &str) {
        let Some(row) = self.rows.remove(id) else { return };
        for index in &mut self.indexes {
            if let Some(mut key) = index.key(&row) {
                key.push(Value::Text(id.to_owned()));
                index.entries.remove(&key);
            }
        }
    }

    /// The field for which another row already has this row's value.
    pub(super) fn conflict(&self, row: &Row) -> Option<&'static str> {
        let taken = self.indexes.iter().filter(|index| index.index.unique).find(|index| {
            let key = index.key(row).filter(|key| !key.contains(&Value::Null));
            key.is_some_and(|key| index.with_prefix(key).any(|holder| holder.id() != row.id()))
        });
        taken.map(|index| self.schema.conflicting_field(index.index.name))
    }

    /// The rows whose cell in this column is this value, through an index when one begins with the column.
    pub(super) fn having<'a>(&'a self, column: usize, value: &'a Value) -> Box<dyn Iterator<Item = &'a Arc<Row>> + 'a> {
        if column == 0 {
            return Box::new(value.as_text().and_then(|id| self.rows.get(id)).into_iter());
        }
        match self.indexes.iter().find(|i| i.index.only.is_none() && i.columns.first() == Some(&column)) {
            Some(index) => Box::new(index.with_prefix(vec![value.clone()])),
            None => Box::new(self.rows().filter(move |row| row.values.get(column) == Some(value))),
        }
    }

    /// The row with the largest cell in this column that is below `limit`, through an index that begins with the column.
    pub(super) fn last_below(&self, column: usize, limit: &Value) -> Option<&Arc<Row>> {
        let index = self.indexes.iter().find(|i| i.index.only.is_none() && i.columns.first() == Some(&column))?;
        index.entries.range(..vec![limit.clone()]).next_back().map(|(_, row)| row)
    }

    /// Whether a column can be looked up without a scan.
    pub(super) fn is_indexed(&self, column: usize) -> bool {
        column == 0 || self.indexes.iter().any(|i| i.index.only.is_none() && i.columns.first() == Some(&column))
    }

    /// The rows whose cell in the first of these columns is this value, in the order of the columns and then of the id,
    /// through an index on exactly them. `None` when there is no such index.
    pub(super) fn along<'a>(
        &'a self,
        columns: &[usize],
        first: Value,
    ) -> Option<impl Iterator<Item = &'a Arc<Row>> + use<'a>> {
        let fits =
            |index: &&IndexRows| index.columns.strip_prefix(columns).is_some_and(|rest| matches!(rest, [] | [0]));
        Some(self.indexes.iter().find(fits)?.with_prefix(vec![first]))
    }
}

impl IndexRows {
    /// The row's key, without the id; `None` when the index does not cover the row.
    fn key(&self, row: &Row) -> Option<Vec<Value>> {
        if let (Some(only), Some(position)) = (&self.index.only, self.only) {
            let name = row.values.get(position)?.as_text()?;
            if !only.one_of.contains(&name) {
                return None;
            }
        }
        self.columns.iter().map(|column| row.values.get(*column).cloned()).collect()
    }

    fn with_prefix(&self, prefix: Vec<Value>) -> impl Iterator<Item = &Arc<Row>> {
        let start = prefix.clone();
        let entries = self.entries.range(start..).take_while(move |(key, _)| key.starts_with(&prefix));
        entries.map(|(_, row)| row)
    }
}
