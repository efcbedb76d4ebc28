//! The write statements of a table. Their text depends on the schema alone, and for updates on the columns that change, so
//! each is prepared once.
//!
//! Raw SQL on purpose: sea-query has no JSON table functions. Every identifier comes from a `Schema`, never from input.

use std::collections::BTreeMap;

use certctl_core::entity::{Column, Columns, Kind, Schema};

use crate::rows::{assignments, column_names, written};

/// The statements of all tables.
#[derive(Debug)]
pub(super) struct Statements(BTreeMap<&'static str, TableStatements>);

#[derive(Debug)]
pub(super) struct TableStatements {
    /// Adds the rows of its parameter.
    pub(super) insert: String,
    /// Deletes the pins of its parameter.
    pub(super) delete: String,
    /// Counts the pins of its parameter that hold.
    pub(super) pinned: String,
}

impl Statements {
    pub(super) fn new(schemas: &[&'static Schema]) -> Self {
        Self(schemas.iter().map(|schema| (schema.table, TableStatements::new(schema))).collect())
    }

    pub(super) fn of(&self, schema: &Schema) -> Option<&TableStatements> {
        self.0.get(schema.table)
    }
}

impl TableStatements {
    fn new(schema: &Schema) -> Self {
        let table = schema.table;
        let names: Vec<String> = column_names(schema).map(|name| format!("\"{name}\"")).collect();
        let cells: Vec<String> = names.iter().map(|name| format!("r.{name}")).collect();
        let rows = row_source(schema.columns.iter(), schema.mutable);
        let pins = "(SELECT value->>0 AS \"id\", value->>1 AS \"row_version\" FROM json_each(?)) AS r";
        Self {
            insert: format!(
                "INSERT INTO \"{table}\" ({}) SELECT {} FROM {rows} WHERE true",
                names.join(", "),
                cells.join(", ")
            ),
            delete: format!(
                "DELETE FROM \"{table}\" WHERE (\"id\", \"row_version\") IN (SELECT r.\"id\", r.\"row_version\" FROM {pins})"
            ),
            pinned: format!(
                "SELECT count(*) AS n FROM {pins} CROSS JOIN \"{table}\" AS t \
                 WHERE t.\"id\" = r.\"id\" AND t.\"row_version\" = r.\"row_version\""
            ),
        }
    }
}

/// Writes the cells of its parameter, made of the [`written`] columns, where the expected version is still stored.
pub(super) fn update(schema: &Schema, columns: Columns) -> String {
    let table = schema.table;
    let rows = row_source(written(schema, columns).map(|(_, column)| column), true);
    let assignments = assignments(schema, columns);
    format!(
        "UPDATE \"{table}\" SET {assignments} FROM {rows} \
         WHERE \"{table}\".\"id\" = r.\"id\" AND \"{table}\".\"row_version\" = r.\"row_version\""
    )
}

/// A table expression named `r` that unpacks rows of JSON with these columns and perhaps a version.
fn row_source(columns: impl Iterator<Item = &'static Column>, versioned: bool) -> String {
    let version = versioned.then_some(("row_version", Kind::Integer));
    let columns = columns.map(|column| (column.name, column.kind)).chain(version);
    let cells = columns.enumerate().map(|(i, (name, kind))| match kind {
        Kind::Bytes => format!("unhex(value->>{i}) AS \"{name}\""),
        _ => format!("value->>{i} AS \"{name}\""),
    });
    format!("(SELECT {} FROM json_each(?)) AS r", cells.collect::<Vec<_>>().join(", "))
}
