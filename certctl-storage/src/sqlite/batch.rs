//! Several sets of changes in one transaction: all at once if they fit together, each by itself if not.

use std::collections::BTreeMap;
use std::sync::Arc;

use certctl_core::entity::Schema;
use certctl_core::storage::{ApplyError, Changes, Committed, Pin, StorageError, TableChanges};
use sea_orm::sqlx::{AssertSqlSafe, Error, Row as _, SqliteConnection, query};

use super::statements::{Statements, TableStatements};
use crate::dialect::{self, Dialect, Refusal, ends_sqlite_transaction};
use crate::explain::{Question, questions};
use crate::rows;

/// What the sets of a batch are written with.
pub(super) struct Batch<'a> {
    pub(super) connection: &'a mut SqliteConnection,
    pub(super) statements: &'a Statements,
    pub(super) schemas: &'static [&'static Schema],
}

/// Why a batch was not written as a whole.
enum Mismatch {
    Stale { entity: &'static str },
    Unknown { table: &'static str },
    Database(Error),
}

impl From<Error> for Mismatch {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

type Tables<'a> = Vec<(Arc<TableStatements>, &'static Schema, Vec<&'a TableChanges>)>;

impl Batch<'_> {
    /// Writes the sets within the open transaction, with a verdict for each.
    ///
    /// # Errors
    /// What ends the transaction, and so fails every member.
    pub(super) async fn write(&mut self, sets: &[Changes]) -> Result<Vec<Result<Committed, ApplyError>>, Error> {
        let mismatch = match self.write_together(&sets.iter().collect::<Vec<_>>()).await {
            Ok(()) => return Ok(sets.iter().map(|set| Ok(set.committed())).collect()),
            Err(Mismatch::Database(error)) if ends_sqlite_transaction(&error) => return Err(error),
            Err(mismatch) => mismatch,
        };
        self.execute("ROLLBACK; BEGIN IMMEDIATE").await?;
        if let [set] = sets {
            return Ok(vec![Err(self.explain(set, mismatch).await?)]);
        }
        let mut verdicts = Vec::with_capacity(sets.len());
        for set in sets {
            verdicts.push(self.write_alone(set).await?);
        }
        Ok(verdicts)
    }

    /// One set in its own savepoint.
    async fn write_alone(&mut self, set: &Changes) -> Result<Result<Committed, ApplyError>, Error> {
        self.execute("SAVEPOINT alone").await?;
        match self.write_together(&[set]).await {
            Ok(()) => {
                self.execute("RELEASE alone").await?;
                Ok(Ok(set.committed()))
            }
            Err(Mismatch::Database(error)) if ends_sqlite_transaction(&error) => Err(error),
            Err(mismatch) => {
                self.execute("ROLLBACK TO alone; RELEASE alone").await?;
                Ok(Err(self.explain(set, mismatch).await?))
            }
        }
    }

    /// One statement per table and verb, over all the sets.
    ///
    /// Two sets that touch the same row never both match, so such a batch is written one by one. Pins are checked last:
    /// if any set of the batch changed a record that another only read, the count is short, which is what forbids write
    /// skew inside a batch.
    async fn write_together(&mut self, sets: &[&Changes]) -> Result<(), Mismatch> {
        let tables = self.tables(sets)?;
        for (statements, schema, changes) in &tables {
            let updates = || changes.iter().flat_map(|table| &table.updates);
            if updates().next().is_some() {
                let json = rows::encode(schema, updates());
                self.matched(schema, &statements.update, json, updates().count()).await?;
            }
            let inserts = || changes.iter().flat_map(|table| &table.inserts);
            if inserts().next().is_some() {
                let json = rows::encode(schema, inserts());
                self.matched(schema, &statements.insert, json, inserts().count()).await?;
            }
        }
        for (statements, schema, changes) in tables.iter().rev() {
            let deletes = || changes.iter().flat_map(|table| &table.deletes).map(parts);
            if deletes().next().is_some() {
                let json = rows::encode_pins(deletes());
                self.matched(schema, &statements.delete, json, deletes().count()).await?;
            }
        }
        for (statements, schema, changes) in &tables {
            let pins = || changes.iter().flat_map(|table| &table.pins).map(parts);
            let (json, count) = (rows::encode_pins(pins()), pins().count());
            self.pinned(schema, &statements.pinned, json, count).await?;
        }
        Ok(())
    }

    /// The first table of which a record is not as the set expects it.
    async fn stale(&mut self, set: &Changes) -> Result<Option<&'static str>, Mismatch> {
        for (statements, schema, changes) in &self.tables(&[set])? {
            let expected = || changes.iter().flat_map(|table| table.expected());
            let (json, count) = (rows::encode_pins(expected()), expected().count());
            match self.pinned(schema, &statements.pinned, json, count).await {
                Err(Mismatch::Stale { entity }) => return Ok(Some(entity)),
                other => other?,
            }
        }
        Ok(None)
    }

    /// The changes of all sets by table, parents before children.
    fn tables<'s>(&self, sets: &[&'s Changes]) -> Result<Tables<'s>, Mismatch> {
        let mut tables: BTreeMap<(usize, &str), (&'static Schema, Vec<&TableChanges>)> = BTreeMap::new();
        for table in sets.iter().flat_map(|set| set.tables()) {
            let key = (table.schema.depth(), table.schema.table);
            tables.entry(key).or_insert_with(|| (table.schema, Vec::new())).1.push(table);
        }
        let with_statements = |(schema, changes): (&'static Schema, Vec<_>)| {
            let statements = self.statements.of(schema).ok_or(Mismatch::Unknown { table: schema.table })?;
            Ok((statements, schema, changes))
        };
        tables.into_values().map(with_statements).collect()
    }

    async fn matched(
        &mut self,
        schema: &'static Schema,
        sql: &Arc<str>,
        json: String,
        rows: usize,
    ) -> Result<(), Mismatch> {
        let result = query(AssertSqlSafe(sql.clone())).bind(json).execute(&mut *self.connection).await?;
        let stale = result.rows_affected() != rows as u64;
        if stale { Err(Mismatch::Stale { entity: schema.table }) } else { Ok(()) }
    }

    async fn pinned(
        &mut self,
        schema: &'static Schema,
        sql: &Arc<str>,
        json: String,
        pins: usize,
    ) -> Result<(), Mismatch> {
        if pins == 0 {
            return Ok(());
        }
        let row = query(AssertSqlSafe(sql.clone())).bind(json).fetch_one(&mut *self.connection).await?;
        let stale = row.try_get::<i64, _>(0)? != i64::try_from(pins).unwrap_or(i64::MAX);
        if stale { Err(Mismatch::Stale { entity: schema.table }) } else { Ok(()) }
    }

    /// The error that a caller can act on, once nothing of the set is written any more. A stale record comes first:
    /// read again, the rest may fit.
    async fn explain(&mut self, set: &Changes, mismatch: Mismatch) -> Result<ApplyError, Error> {
        let error = match mismatch {
            Mismatch::Stale { entity } => return Ok(ApplyError::Stale { entity }),
            Mismatch::Unknown { table } => {
                let reason = format!("this store was opened without a table {table}");
                return Ok(StorageError::fatal(reason).into());
            }
            Mismatch::Database(error) => error,
        };
        match self.stale(set).await {
            Ok(Some(entity)) => return Ok(ApplyError::Stale { entity }),
            Err(Mismatch::Database(error)) => return Err(error),
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
        sea_orm::sqlx::raw_sql(sql).execute(&mut *self.connection).await.map(drop)
    }
}

fn parts(pin: &Pin) -> (&str, i64) {
    (&pin.id, pin.version)
}
