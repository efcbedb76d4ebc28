//! Write statements in one text, and so in one trip to the connection's thread. The text goes on only while each statement
//! has written, and each question has found, as many rows as it must.

use certctl_core::entity::Schema;
use futures_util::StreamExt as _;
use sea_orm::sqlx::sqlite::SqliteArguments;
use sea_orm::sqlx::{Arguments as _, AssertSqlSafe, Either, Error, Executor as _, SqliteConnection, query_with};

/// A text that is being written.
pub(super) struct Script {
    text: String,
    parameters: SqliteArguments,
    /// What each statement of the text is.
    parts: Vec<Part>,
}

#[derive(Clone, Copy)]
enum Part {
    /// Begins or writes.
    Statement,
    /// Fails when the rows of this table were not as many as expected.
    Check(&'static str),
    /// Ends the transaction or the savepoint.
    End,
}

/// Why a script broke off.
pub(super) enum Break {
    /// A record of this table was not as expected. The transaction stands, with what was written before.
    Stale(&'static str),
    /// A statement was refused.
    Refused(Error),
    /// The end itself was refused: nothing of the transaction is left.
    Ended(Error),
}

/// Fails if the statement before it did not write as many rows as its parameter says. SQLite has no statement that fails on
/// a condition outside of triggers; a function that is given something it cannot take does.
const CHECK: &str = "SELECT json('stale ' || changes()) WHERE changes() <> ?";

impl Script {
    pub(super) fn new(begin: &str) -> Self {
        Self { text: begin.to_owned(), parameters: SqliteArguments::default(), parts: vec![Part::Statement] }
    }

    /// Adds a statement with one parameter that must write this many rows; none need no statement.
    pub(super) fn write(&mut self, schema: &'static Schema, sql: &str, json: &str, rows: usize) -> Result<(), Break> {
        if rows == 0 {
            return Ok(());
        }
        self.add(sql, Part::Statement);
        self.add(CHECK, Part::Check(schema.table));
        self.bind(json, rows)
    }

    /// Adds a question `SELECT count(*) AS n …` with one parameter that must find this many rows; none need no question.
    pub(super) fn ask(&mut self, schema: &'static Schema, sql: &str, json: &str, rows: usize) -> Result<(), Break> {
        if rows == 0 {
            return Ok(());
        }
        self.add(&format!("SELECT json('stale ' || n) FROM ({sql}) WHERE n <> ?"), Part::Check(schema.table));
        self.bind(json, rows)
    }

    /// Adds what ends the transaction or the savepoint.
    pub(super) fn end(&mut self, sql: &str) {
        self.add(sql, Part::End);
    }

    fn add(&mut self, sql: &str, part: Part) {
        self.text.push_str("; ");
        self.text.push_str(sql);
        self.parts.push(part);
    }

    fn bind(&mut self, json: &str, rows: usize) -> Result<(), Break> {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        let added = self.parameters.add(json).and_then(|()| self.parameters.add(rows));
        added.map_err(|error| Break::Refused(Error::Encode(error)))
    }

    /// Runs the text up to where it breaks off.
    ///
    /// The driver runs the statements of one text in order, each with the next of the parameters, and stops at the first
    /// error.
    pub(super) async fn run(self, connection: &mut SqliteConnection) -> Result<(), Break> {
        let Self { text, parameters, parts } = self;
        let mut results = connection.fetch_many(query_with(AssertSqlSafe(text), parameters));
        let mut part = parts.into_iter();
        while let Some(result) = results.next().await {
            let error = match result {
                // The end of one statement; a check that holds has no rows.
                Ok(Either::Left(_)) => {
                    part.next();
                    continue;
                }
                Ok(Either::Right(_)) => continue,
                Err(error) => error,
            };
            return Err(match part.next() {
                Some(Part::Check(table)) if is_check(&error) => Break::Stale(table),
                Some(Part::End) => Break::Ended(error),
                _ => Break::Refused(error),
            });
        }
        Ok(())
    }
}

/// Whether the error is that of a failed check, and not of the disk or the memory while checking.
fn is_check(error: &Error) -> bool {
    // SQLITE_ERROR.
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("1"))
}
