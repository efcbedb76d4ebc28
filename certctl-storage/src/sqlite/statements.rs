//! The write statements of a table. Their text depends on the schema alone, so each is prepared once.
//!
//! Raw SQL on purpose: sea-query has no JSON table functions. Every identifier comes from a `Schema`, never from input.

use std::collections::BTreeMap;
use std::sync::Arc;

use certctl_core::entity::{Kind, Schema};

use crate::rows::{assignments, column_names};

/// The statements of all tables.
#[derive(Debug)]
pub(super) struct Statements(BTreeMap<&'static str, Arc<TableStatements>>);

#[derive(Debug)]
pub(super) struct TableStatements {
    /// Writes the cells of `$1` where the expected version is still stored.
    pub(super) update: Arc<str>,
    /// Adds the rows of `$1`.
    pub(super) insert: Arc<str>,
    /// Deletes the pins of `$1`.
    pub(super) delete: Arc<str>,
    /// Counts the pins of `$1` that hold.
    pub(super) pinned: Arc<str>,
}

impl Statements {
    pub(super) fn new(schemas: &[&'static Schema]) -> Self {
        Self(schemas.iter().map(|schema| (schema.table, Arc::new(TableStatements::new(schema)))).collect())
    }

    pub(super) fn of(&self, schema: &Schema) -> Option<Arc<TableStatements>> {
        self.0.get(schema.table).cloned()
    }
}

impl TableStatements {
    fn new(schema: &Schema) -> Self {
        let table = schema.table;
        let names: Vec<String> = column_names(schema).map(|name| format!("\"{name}\"")).collect();
        let cells: Vec<String> = names.iter().map(|name| format!("r.{name}")).collect();
        let assignments = assignments(schema);
        let rows = row_source(schema);
        let pins = "(SELECT value->>0 AS \"id\", value->>1 AS \"row_version\" FROM json_each($1)) AS r";
        Self {
            update: format!(
                "UPDATE \"{table}\" SET {assignments} FROM {rows} \
                 WHERE \"{table}\".\"id\" = r.\"id\" AND \"{table}\".\"row_version\" = r.\"row_version\""
            )
            .into(),
            insert: format!(
                "INSERT INTO \"{table}\" ({}) SELECT {} FROM {rows} WHERE true",
                names.join(", "),
                cells.join(", ")
            )
            .into(),
            delete: format!(
                "DELETE FROM \"{table}\" WHERE (\"id\", \"row_version\") IN (SELECT r.\"id\", r.\"row_version\" FROM {pins})"
            )
            .into(),
            pinned: format!(
                "SELECT count(*) FROM {pins} CROSS JOIN \"{table}\" AS t \
                 WHERE t.\"id\" = r.\"id\" AND t.\"row_version\" = r.\"row_version\""
            )
            .into(),
        }
    }
}

/// A table expression named `r` that unpacks the rows of [`encode`](crate::rows::encode).
fn row_source(schema: &Schema) -> String {
    let version = schema.mutable.then_some(("row_version", Kind::Integer));
    let columns = schema.columns.iter().map(|column| (column.name, column.kind)).chain(version);
    let cells = columns.enumerate().map(|(i, (name, kind))| match kind {
        Kind::Bytes => format!("unhex(value->>{i}) AS \"{name}\""),
        _ => format!("value->>{i} AS \"{name}\""),
    });
    format!("(SELECT {} FROM json_each($1)) AS r", cells.collect::<Vec<_>>().join(", "))
}
