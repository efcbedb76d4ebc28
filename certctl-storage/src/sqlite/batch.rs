//! Several sets of changes in one transaction: all at once if they fit together, each by itself if not.

use std::collections::BTreeMap;

use certctl_core::entity::{Row, Schema};
use certctl_core::storage::{ApplyError, Changes, Committed, Pin, StorageError, TableChanges};
use sqlx::{AssertSqlSafe, Error, Row as _, SqliteConnection, query};

use super::script::{Break, Rows, Script};
use super::statements::{Both, Statements, Travel, update};
use crate::dialect::{self, Dialect, Refusal, ends_sqlite_transaction};
use crate::explain::{Question, questions};
use crate::rows;

/// What the sets of a batch are written with.
pub(super) struct Batch<'a> {
    pub(super) connection: &'a mut SqliteConnection,
    pub(super) statements: &'a Statements,
    pub(super) schemas: &'static [&'static Schema],
}

/// What follows the sets of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing: it may be committed at once.
    Commit,
    /// Something else in the same transaction.
    GoOn,
}

/// Why a batch was not written as a whole.
enum Mismatch {
    Stale { entity: &'static str },
    Unknown { table: &'static str },
    Database(Error),
    Ended(Error),
}

impl Mismatch {
    /// The error that leaves no transaction to go on with.
    fn unless_ended(self) -> Result<Self, Error> {
        match self {
            Self::Ended(error) => Err(error),
            Self::Database(error) if ends_sqlite_transaction(&error) => Err(error),
            mismatch => Ok(mismatch),
        }
    }
}

impl From<Break> for Mismatch {
    fn from(broken: Break) -> Self {
        match broken {
            Break::Stale(entity) => Self::Stale { entity },
            Break::Refused(error) => Self::Database(error),
            Break::Ended(error) => Self::Ended(error),
        }
    }
}

type Tables<'s, 'a> = Vec<(Both<'s>, &'static Schema, Vec<&'a TableChanges>)>;

impl Batch<'_> {
    /// Begins a transaction and writes the sets in it, with a verdict for each. With `Then::Commit` the transaction is ended
    /// in the same trip where all sets fit together; whether it was is told.
    ///
    /// # Errors
    /// What ends the transaction, and so fails every member.
    pub(super) async fn write(
        &mut self,
        sets: &[Changes],
        then: Then,
    ) -> Result<(bool, Vec<Result<Committed, ApplyError>>), Error> {
        let end = (then == Then::Commit).then_some("COMMIT");
        let mismatch = match self.write_together("BEGIN IMMEDIATE", &sets.iter().collect::<Vec<_>>(), end).await {
            Ok(()) => return Ok((end.is_some(), sets.iter().map(|set| Ok(set.committed())).collect())),
            Err(mismatch) => mismatch.unless_ended()?,
        };
        self.execute("ROLLBACK; BEGIN IMMEDIATE").await?;
        if let [set] = sets {
            return Ok((false, vec![Err(self.explain(set, mismatch).await?)]));
        }
        let mut verdicts = Vec::with_capacity(sets.len());
        for set in sets {
            verdicts.push(self.write_alone(set).await?);
        }
        Ok((false, verdicts))
    }

    /// One set in its own savepoint.
    async fn write_alone(&mut self, set: &Changes) -> Result<Result<Committed, ApplyError>, Error> {
        match self.write_together("SAVEPOINT alone", &[set], Some("RELEASE alone")).await {
            Ok(()) => Ok(Ok(set.committed())),
            Err(mismatch) => {
                let mismatch = mismatch.unless_ended()?;
                self.execute("ROLLBACK TO alone; RELEASE alone").await?;
                Ok(Err(self.explain(set, mismatch).await?))
            }
        }
    }

    /// One statement per table and verb, over all the sets: tables from parents to children, each its updates and its
    /// inserts; then deletes from children to parents; then pins.
    ///
    /// Two sets that touch the same row never both match, so such a batch is written one by one. Pins are checked last:
    /// if any set of the batch changed a record that another only read, the count is short, which is what forbids write
    /// skew inside a batch.
    async fn write_together(&mut self, begin: &str, sets: &[&Changes], end: Option<&str>) -> Result<(), Mismatch> {
        let mut script = Script::new(begin);
        let tables = tables(self.statements, sets)?;
        for (statements, schema, changes) in &tables {
            for (columns, updates) in rows::by_columns(changes.iter().flat_map(|table| &table.updates)) {
                let positions: Vec<usize> = rows::written(schema, columns).map(|(position, _)| position).collect();
                let sql = update(schema, columns, Travel::of(updates.len()));
                script.write(schema, &sql, &travelling(schema, &positions, &updates))?;
            }
            let inserts: Vec<&Row> = changes.iter().flat_map(|table| &table.inserts).collect();
            if !inserts.is_empty() {
                let positions: Vec<usize> = (0..schema.columns.len()).collect();
                let sql = &statements.travelling(inserts.len()).insert;
                script.write(schema, sql, &travelling(schema, &positions, &inserts))?;
            }
        }
        for (statements, schema, changes) in tables.iter().rev() {
            let deletes: Vec<(&str, i64)> = changes.iter().flat_map(|table| &table.deletes).map(parts).collect();
            if let Some(pins) = travelling_pins(&deletes) {
                script.write(schema, &statements.travelling(deletes.len()).delete, &pins)?;
            }
        }
        for (statements, schema, changes) in &tables {
            let pins: Vec<(&str, i64)> = changes.iter().flat_map(|table| &table.pins).map(parts).collect();
            if let Some(rows) = travelling_pins(&pins) {
                script.ask(schema, &statements.travelling(pins.len()).pinned, &rows)?;
            }
        }
        script.check()?;
        if let Some(end) = end {
            script.end(end);
        }
        Ok(script.run(self.connection).await?)
    }

    /// The first table of which a record is not as the set expects it.
    async fn stale(&mut self, set: &Changes) -> Result<Option<&'static str>, Mismatch> {
        for (statements, schema, changes) in &tables(self.statements, &[set])? {
            let expected = || changes.iter().flat_map(|table| table.expected());
            let (json, count) = (rows::encode_pins(expected()), expected().count());
            if count == 0 {
                // A table that only grows has no versions to ask for.
                continue;
            }
            let question = query(AssertSqlSafe(statements.travelling(usize::MAX).pinned.as_str())).bind(json);
            let row = question.fetch_one(&mut *self.connection).await.map_err(Mismatch::Database)?;
            let found: i64 = row.try_get(0).map_err(Mismatch::Database)?;
            if found != i64::try_from(count).unwrap_or(i64::MAX) {
                return Ok(Some(schema.table));
            }
        }
        Ok(None)
    }

    /// The error that a caller can act on, once nothing of the set is written any more. A stale record comes first:
    /// read again, the rest may fit.
    async fn explain(&mut self, set: &Changes, mismatch: Mismatch) -> Result<ApplyError, Error> {
        let error = match mismatch {
            // The table that was found short is known, but not whether it was the first.
            Mismatch::Stale { entity } => {
                return match self.stale(set).await {
                    Err(Mismatch::Database(error) | Mismatch::Ended(error)) => Err(error),
                    found => Ok(ApplyError::Stale { entity: found.ok().flatten().unwrap_or(entity) }),
                };
            }
            Mismatch::Unknown { table } => {
                let reason = format!("this store was opened without a table {table}");
                return Ok(StorageError::fatal(reason).into());
            }
            Mismatch::Database(error) | Mismatch::Ended(error) => error,
        };
        match self.stale(set).await {
            Ok(Some(entity)) => return Ok(ApplyError::Stale { entity }),
            Err(Mismatch::Database(error) | Mismatch::Ended(error)) => return Err(error),
            _ => {}
        }
        match Dialect::Sqlite.refusal(&error, self.schemas) {
            Some(Refusal::Unique { entity, field }) => return Ok(ApplyError::Conflict { entity, field }),
            Some(Refusal::ForeignKey) => {
                for question in questions(set, self.schemas) {
                    if let Some(refusal) = question.answer(self.ask(&question).await?) {
                        return Ok(refusal);
                    }
                }
            }
            None => {}
        }
        Ok(dialect::storage_error(&error).into())
    }

    async fn ask(&mut self, question: &Question) -> Result<u64, Error> {
        let sql = format!(
            "SELECT count(*) FROM \"{}\" WHERE \"{}\" IN (SELECT value FROM json_each($1)) \
             AND \"id\" NOT IN (SELECT value FROM json_each($2))",
            question.table, question.column
        );
        let texts = |texts: &[String]| rows::encode_texts(texts.iter().map(String::as_str));
        let row = query(AssertSqlSafe(sql))
            .bind(texts(&question.ids))
            .bind(texts(&question.except))
            .fetch_one(&mut *self.connection)
            .await?;
        Ok(u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0))
    }

    async fn execute(&mut self, sql: &'static str) -> Result<(), Error> {
        sqlx::raw_sql(sql).execute(&mut *self.connection).await.map(drop)
    }
}

/// The changes of all sets by table, parents before children.
fn tables<'s, 'a>(statements: &'s Statements, sets: &[&'a Changes]) -> Result<Tables<'s, 'a>, Mismatch> {
    let mut tables: BTreeMap<(usize, &str), (&'static Schema, Vec<&'a TableChanges>)> = BTreeMap::new();
    for table in sets.iter().flat_map(|set| set.tables()) {
        let key = (table.schema.depth(), table.schema.table);
        tables.entry(key).or_insert_with(|| (table.schema, Vec::new())).1.push(table);
    }
    let with_statements = |(schema, changes): (&'static Schema, Vec<_>)| {
        let statements = statements.of(schema).ok_or(Mismatch::Unknown { table: schema.table })?;
        Ok((statements, schema, changes))
    };
    tables.into_values().map(with_statements).collect()
}

/// The cells of rows at these positions, as they travel.
fn travelling<'r>(schema: &Schema, positions: &[usize], rows: &[&'r Row]) -> Rows<'r> {
    if let [row] = rows {
        let cells = positions.iter().filter_map(|position| row.values.get(*position)).collect();
        return Rows::Cells(cells, schema.mutable.then_some(row.version));
    }
    Rows::Json(rows::encode_cells(schema, positions, rows.iter().copied()), rows.len())
}

/// Pins as they travel, if there are any.
fn travelling_pins<'r>(pins: &[(&'r str, i64)]) -> Option<Rows<'r>> {
    match pins {
        [] => None,
        [(id, version)] => Some(Rows::Pin(id, *version)),
        pins => Some(Rows::Json(rows::encode_pins(pins.iter().copied()), pins.len())),
    }
}

fn parts(pin: &Pin) -> (&str, i64) {
    (&pin.id, pin.version)
}
