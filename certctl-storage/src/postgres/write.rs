//! A set of changes as one `WITH` statement.
//!
//! ```sql
//! WITH pin_certificates AS (SELECT … ORDER BY id FOR NO KEY UPDATE OF t),          -- locks, in one global order
//!      gate AS (SELECT (SELECT count(*) FROM pin_certificates) = 2 AS open),       -- every pin holds
//!      update_certificates AS (UPDATE … AND (SELECT open FROM gate) RETURNING 1),
//!      insert_jobs AS (INSERT … WHERE (SELECT open FROM gate) RETURNING 1)
//! SELECT (SELECT count(*) FROM pin_certificates)
//! ```
//!
//! A pin that does not hold closes the gate and nothing is written; a constraint aborts the statement. After waiting for
//! a lock PostgreSQL evaluates the row anew, so a version that changed meanwhile is not counted. One row travels as
//! scalars and several as arrays, so the text depends on the shape of the set, not on its size.

use std::fmt::Write as _;

use certctl_core::entity::{Column, Columns, Kind, Row, Schema, Value};
use certctl_core::storage::{Changes, Pin, TableChanges};
use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;

use crate::dialect::Dialect;
use crate::rows::{assignments, by_columns, column_names, written};

/// The statement, and what its answer must be.
pub(super) struct Write {
    pub(super) sql: String,
    pub(super) arguments: PgArguments,
    /// The columns of the answer: a table, and how many of its records must be as expected.
    pub(super) pins: Vec<(&'static str, i64)>,
}

impl Write {
    pub(super) fn new(changes: &Changes) -> Result<Self, BoxDynError> {
        let mut parts = Parts::default();
        if let Some(table) = only_update(changes) {
            parts.update_is_the_gate(table)?;
        } else {
            for table in changes.tables() {
                parts.pin(table)?;
            }
            parts.gate();
        }
        for table in changes.tables() {
            parts.write(table)?;
        }
        for table in changes.tables().rev() {
            parts.delete(table)?;
        }
        let counts: Vec<String> = parts.pins.iter().map(Held::count).collect();
        let answer = if counts.is_empty() { "0::bigint".to_owned() } else { counts.join(", ") };
        let sql = format!("WITH {} SELECT {answer}", parts.expressions.join(", "));
        let pins = parts.pins.iter().map(|pin| (pin.schema.table, pin.expected)).collect();
        Ok(Self { sql, arguments: parts.arguments, pins })
    }
}

/// The table of the only record that a set expects to be unchanged, if the set updates it: the update itself then says
/// whether it held, and no lock need be taken before.
fn only_update(changes: &Changes) -> Option<&TableChanges> {
    let mut expected = changes.tables().flat_map(|table| table.expected().map(move |_| table));
    let table = expected.next().filter(|table| table.updates.len() == 1)?;
    expected.next().is_none().then_some(table)
}

#[derive(Default)]
struct Parts {
    expressions: Vec<String>,
    arguments: PgArguments,
    parameters: usize,
    pins: Vec<Held>,
    /// What every write is subject to; empty when nothing is expected.
    gate: String,
    /// Whether the only update has been written as the gate.
    updated: bool,
}

/// An expression that returns the records of a table that are as expected.
struct Held {
    schema: &'static Schema,
    name: String,
    expected: i64,
}

impl Held {
    fn count(&self) -> String {
        format!("(SELECT count(*) FROM \"{}\")", self.name)
    }
}

impl Parts {
    fn update_is_the_gate(&mut self, TableChanges { schema, updates, .. }: &TableChanges) -> Result<(), BoxDynError> {
        let name = format!("update_{}_0", schema.table);
        let Some((columns, rows)) = by_columns(updates.iter()).pop_first() else { return Ok(()) };
        let update = self.update(schema, columns, &rows)?;
        self.expressions.push(format!("\"{name}\" AS ({update} RETURNING 1)"));
        let held = Held { schema, name, expected: 1 };
        self.gate = format!(" AND {} = 1", held.count());
        self.pins.push(held);
        self.updated = true;
        Ok(())
    }

    /// Locks what was read. A record that is only read is locked FOR SHARE, so that many units may share a profile or an
    /// issuer. All locks are taken by table and then by id, which leaves no cycle to deadlock on.
    fn pin(&mut self, table: &TableChanges) -> Result<(), BoxDynError> {
        let TableChanges { schema, updates, deletes, .. } = table;
        let mut expected: Vec<(&str, i64)> = table.expected().collect();
        if expected.is_empty() {
            return Ok(());
        }
        expected.sort_unstable();
        let lock = match (deletes.is_empty(), updates.is_empty()) {
            (true, true) => "SHARE",
            (true, false) => "NO KEY UPDATE",
            (false, _) => "UPDATE",
        };
        let source = self.pin_source(&expected)?;
        // Naming the table before it makes this one wait for it.
        let after = self.pins.last().map(|held| format!(" AND {} >= 0", held.count())).unwrap_or_default();
        let name = format!("pin_{}", schema.table);
        self.expressions.push(format!(
            "\"{name}\" AS (SELECT t.\"id\" FROM {source} JOIN \"{}\" AS t ON t.\"id\" = r.\"id\" \
             AND t.\"row_version\" = r.\"row_version\"{after} ORDER BY t.\"id\" FOR {lock} OF t)",
            schema.table
        ));
        self.pins.push(Held { schema, name, expected: i64::try_from(expected.len()).unwrap_or(i64::MAX) });
        Ok(())
    }

    fn gate(&mut self) {
        if self.pins.is_empty() {
            return;
        }
        let mut held = String::new();
        for pin in &self.pins {
            self.parameters += 1;
            // An integer always encodes.
            let _ = self.arguments.add(pin.expected);
            let and = if held.is_empty() { "" } else { " AND " };
            let _ = write!(held, "{and}{} = ${}::bigint", pin.count(), self.parameters);
        }
        self.expressions.push(format!("gate AS (SELECT {held} AS open)"));
        " AND (SELECT open FROM gate)".clone_into(&mut self.gate);
    }

    /// Updates, then inserts. The order of expressions is open in SQL, so the inserts ask for the updates.
    fn write(&mut self, TableChanges { schema, updates, inserts, .. }: &TableChanges) -> Result<(), BoxDynError> {
        let table = schema.table;
        let mut after = String::new();
        for (kind, (columns, rows)) in by_columns(updates.iter()).into_iter().enumerate() {
            let name = format!("update_{table}_{kind}");
            if !self.updated {
                let update = self.update(schema, columns, &rows)?;
                self.expressions.push(format!("\"{name}\" AS ({update} RETURNING 1)"));
            }
            let _ = write!(after, " AND (SELECT count(*) FROM \"{name}\") >= 0");
        }
        if inserts.is_empty() {
            return Ok(());
        }
        let rows: Vec<&Row> = inserts.iter().collect();
        let source = self.row_source(schema.columns.iter().enumerate(), schema.mutable, &rows)?;
        let names: Vec<String> = column_names(schema).map(|name| format!("\"{name}\"")).collect();
        let cells: Vec<String> = names.iter().map(|name| format!("r.{name}")).collect();
        self.expressions.push(format!(
            "\"insert_{table}\" AS (INSERT INTO \"{table}\" ({}) SELECT {} FROM {source} WHERE true{}{after} RETURNING 1)",
            names.join(", "),
            cells.join(", "),
            self.gate,
        ));
        Ok(())
    }

    fn delete(&mut self, TableChanges { schema, deletes, .. }: &TableChanges) -> Result<(), BoxDynError> {
        if deletes.is_empty() {
            return Ok(());
        }
        let table = schema.table;
        let expected: Vec<(&str, i64)> = deletes.iter().map(|Pin { id, version }| (id.as_str(), *version)).collect();
        let source = self.pin_source(&expected)?;
        self.expressions.push(format!(
            "\"delete_{table}\" AS (DELETE FROM \"{table}\" AS t USING {source} \
             WHERE t.\"id\" = r.\"id\" AND t.\"row_version\" = r.\"row_version\"{} RETURNING 1)",
            self.gate
        ));
        Ok(())
    }

    fn update(&mut self, schema: &Schema, columns: Columns, updates: &[&Row]) -> Result<String, BoxDynError> {
        let source = self.row_source(written(schema, columns), true, updates)?;
        let assignments = assignments(schema, columns);
        Ok(format!(
            "UPDATE \"{}\" AS t SET {assignments} FROM {source} \
             WHERE t.\"id\" = r.\"id\" AND t.\"row_version\" = r.\"row_version\"{}",
            schema.table, self.gate
        ))
    }

    /// A table expression named `r` with some columns of the rows, and perhaps their version.
    fn row_source(
        &mut self,
        columns: impl Iterator<Item = (usize, &'static Column)>,
        versioned: bool,
        rows: &[&Row],
    ) -> Result<String, BoxDynError> {
        let mut source = Source::default();
        for (position, column) in columns {
            let parameter = self.next();
            source.column(column.name, column.kind, parameter);
            let cells = rows.iter().map(|row| row.values.get(position).unwrap_or(&Value::Null));
            self.bind(column.kind, rows.len(), cells)?;
        }
        if versioned {
            let parameter = self.next();
            source.column("row_version", Kind::Integer, parameter);
            match rows {
                [row] => self.arguments.add(row.version)?,
                rows => self.arguments.add(rows.iter().map(|row| row.version).collect::<Vec<_>>())?,
            }
        }
        Ok(source.finish(rows.len()))
    }

    /// A table expression named `r` with ids and versions.
    fn pin_source(&mut self, pins: &[(&str, i64)]) -> Result<String, BoxDynError> {
        let mut source = Source::default();
        let parameter = self.next();
        source.column("id", Kind::Text, parameter);
        let parameter = self.next();
        source.column("row_version", Kind::Integer, parameter);
        if let [(id, version)] = pins {
            self.arguments.add(*id)?;
            self.arguments.add(*version)?;
        } else {
            let (ids, versions): (Vec<&str>, Vec<i64>) = pins.iter().copied().unzip();
            self.arguments.add(ids)?;
            self.arguments.add(versions)?;
        }
        Ok(source.finish(pins.len()))
    }

    fn next(&mut self) -> usize {
        self.parameters += 1;
        self.parameters
    }

    /// Binds the cells of one column, as a scalar or as an array.
    fn bind<'v>(
        &mut self,
        kind: Kind,
        rows: usize,
        mut cells: impl Iterator<Item = &'v Value>,
    ) -> Result<(), BoxDynError> {
        macro_rules! bind {
            ($read:expr) => {{
                let read = $read;
                if rows == 1 {
                    self.arguments.add(cells.next().and_then(read))
                } else {
                    self.arguments.add(cells.map(read).collect::<Vec<_>>())
                }
            }};
        }
        match kind {
            Kind::Text => bind!(|value: &'v Value| value.as_text()),
            Kind::Integer => {
                bind!(|value: &'v Value| if let Value::Integer(number) = value { Some(*number) } else { None })
            }
            Kind::Boolean => {
                bind!(|value: &'v Value| if let Value::Boolean(flag) = value { Some(*flag) } else { None })
            }
            Kind::Bytes => {
                bind!(|value: &'v Value| if let Value::Bytes(bytes) = value { Some(bytes.as_slice()) } else { None })
            }
        }
    }
}

/// Parameters as the columns of a table expression.
#[derive(Default)]
struct Source {
    columns: Vec<(&'static str, &'static str, usize)>,
}

impl Source {
    fn column(&mut self, name: &'static str, kind: Kind, parameter: usize) {
        self.columns.push((name, Dialect::postgres_parameter(kind), parameter));
    }

    fn finish(&self, rows: usize) -> String {
        let list = |each: &dyn Fn(&(&str, &str, usize)) -> String| {
            self.columns.iter().map(each).collect::<Vec<_>>().join(", ")
        };
        if rows == 1 {
            let cells = list(&|(name, kind, parameter)| format!("${parameter}::{kind} AS \"{name}\""));
            return format!("(SELECT {cells}) AS r");
        }
        let arrays = list(&|(_, kind, parameter)| format!("${parameter}::{kind}[]"));
        let names = list(&|(name, ..)| format!("\"{name}\""));
        format!("unnest({arrays}) AS r({names})")
    }
}
