//! The write statements of a table. Their text depends on the schema alone, and for updates on the columns that change, so
//! each is prepared once.
//!
//! Raw SQL on purpose: sea-query has no JSON table functions. Every identifier comes from a `Schema`, never from input.

use std::collections::BTreeMap;

use certctl_core::entity::{Column, Columns, Kind, Schema};

use crate::rows::{assignments, column_names, written};

/// The statements of all tables.
#[derive(Debug)]
pub(super) struct Statements(BTreeMap<&'static str, [TableStatements; 2]>);

/// How rows travel: one as its cells, which costs least; several as one JSON parameter, so that texts do not depend on how many
/// there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Travel {
    One,
    Many,
}

/// The statements of a table for rows that travel in one way. Each ends in a condition.
#[derive(Debug)]
pub(super) struct TableStatements {
    /// Adds rows.
    pub(super) insert: String,
    /// Deletes pins.
    pub(super) delete: String,
    /// Counts the pins that hold.
    pub(super) pinned: String,
}

impl Travel {
    pub(super) fn of(rows: usize) -> Self {
        if rows == 1 { Self::One } else { Self::Many }
    }
}

impl Statements {
    pub(super) fn new(schemas: &[&'static Schema]) -> Self {
        let both = |schema| [Travel::One, Travel::Many].map(|travel| TableStatements::new(schema, travel));
        Self(schemas.iter().map(|schema| (schema.table, both(*schema))).collect())
    }

    /// The statements of a table, if the store knows it.
    pub(super) fn of(&self, schema: &Schema) -> Option<Both<'_>> {
        self.0.get(schema.table).map(|[one, many]| Both { one, many })
    }
}

/// The statements of a table for one row and for several.
#[derive(Clone, Copy, Debug)]
pub(super) struct Both<'s> {
    one: &'s TableStatements,
    many: &'s TableStatements,
}

impl<'s> Both<'s> {
    /// Those for so many rows.
    pub(super) fn travelling(self, rows: usize) -> &'s TableStatements {
        match Travel::of(rows) {
            Travel::One => self.one,
            Travel::Many => self.many,
        }
    }
}

impl TableStatements {
    fn new(schema: &'static Schema, travel: Travel) -> Self {
        let table = schema.table;
        let names: Vec<String> = column_names(schema).map(|name| format!("\"{name}\"")).collect();
        let cells: Vec<String> = names.iter().map(|name| format!("r.{name}")).collect();
        let rows = row_source(schema.columns.iter(), schema.mutable, travel);
        let pins = row_source(schema.columns.iter().take(1), true, travel);
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

/// Writes the [`written`] columns of rows where the expected version is still stored.
pub(super) fn update(schema: &Schema, columns: Columns, travel: Travel) -> String {
    let table = schema.table;
    let rows = row_source(written(schema, columns).map(|(_, column)| column), true, travel);
    let assignments = assignments(schema, columns);
    format!(
        "UPDATE \"{table}\" SET {assignments} FROM {rows} \
         WHERE \"{table}\".\"id\" = r.\"id\" AND \"{table}\".\"row_version\" = r.\"row_version\""
    )
}

/// A table expression named `r` with these columns and perhaps a version: of one row whose cells are parameters, or of the
/// rows of one JSON parameter.
fn row_source(columns: impl Iterator<Item = &'static Column>, versioned: bool, travel: Travel) -> String {
    let version = versioned.then_some(("row_version", Kind::Integer));
    let columns = columns.map(|column| (column.name, column.kind)).chain(version);
    let cells = columns.enumerate().map(|(i, (name, kind))| match (travel, kind) {
        (Travel::One, _) => format!("? AS \"{name}\""),
        (Travel::Many, Kind::Bytes) => format!("unhex(value->>{i}) AS \"{name}\""),
        (Travel::Many, _) => format!("value->>{i} AS \"{name}\""),
    });
    let (cells, source) =
        (cells.collect::<Vec<_>>().join(", "), if travel == Travel::Many { " FROM json_each(?)" } else { "" });
    format!("(SELECT {cells}{source}) AS r")
}
