//! Write statements in one text, and so in one trip to the connection's thread. The text goes on only while each statement
//! has written, and each question has found, as many rows as it must.

use certctl_core::entity::{Schema, Value};
use futures_util::StreamExt as _;
use sqlx::sqlite::SqliteArguments;
use sqlx::{
    Arguments as _, AssertSqlSafe, Either, Encode, Error, Executor as _, Sqlite, SqliteConnection, Type, query_with,
};

/// A text that is being written.
pub(super) struct Script {
    text: String,
    parameters: SqliteArguments,
    /// What each statement of the text is.
    parts: Vec<Part>,
    /// The table of the last write and how many rows it must have written, until something checks it.
    unchecked: Option<(&'static str, i64)>,
}

#[derive(Clone, Copy)]
enum Part {
    /// Begins.
    Begin,
    /// Writes or asks, and fails when the rows of this table were not as many as expected.
    Check(&'static str),
    /// Ends the transaction or the savepoint.
    End,
}

/// Why a script broke off.
pub(super) enum Break {
    /// A record of this table, or of one that was written before it, was not as expected. The transaction stands, with what
    /// was written before.
    Stale(&'static str),
    /// A statement was refused.
    Refused(Error),
    /// The end itself was refused: nothing of the transaction is left.
    Ended(Error),
}

/// A condition that fails unless the statement before wrote as many rows as its parameter says. SQLite has no statement that
/// fails on a condition outside of triggers; a function that is given something it cannot take does. A statement that is
/// running does not count yet (`changes()`), so the next write can check the one before it and needs no trip of its own.
const CHECK: &str = "CASE WHEN changes() = ? THEN true ELSE json('stale ' || changes()) END";

impl Script {
    pub(super) fn new(begin: &str) -> Self {
        let (text, parameters) = (begin.to_owned(), SqliteArguments::default());
        Self { text, parameters, parts: vec![Part::Begin], unchecked: None }
    }

    /// Adds a statement that takes these rows, ends in a condition, and must write as many.
    pub(super) fn write(&mut self, schema: &'static Schema, sql: &str, rows: &Rows<'_>) -> Result<(), Break> {
        let before = self.unchecked.replace((schema.table, rows.count()));
        self.add(sql, Part::Check(before.map_or(schema.table, |(table, _)| table)));
        self.bind_rows(rows)?;
        if let Some((_, rows)) = before {
            self.text.push_str(" AND ");
            self.text.push_str(CHECK);
            self.bind(rows)?;
        }
        Ok(())
    }

    /// Adds a question `SELECT count(*) AS n …` that takes these pins and must find as many.
    pub(super) fn ask(&mut self, schema: &'static Schema, sql: &str, pins: &Rows<'_>) -> Result<(), Break> {
        self.check()?;
        self.add(&format!("SELECT json('stale ' || n) FROM ({sql}) WHERE n <> ?"), Part::Check(schema.table));
        self.bind_rows(pins)?;
        self.bind(pins.count())
    }

    /// Checks what was written last.
    pub(super) fn check(&mut self) -> Result<(), Break> {
        let Some((table, rows)) = self.unchecked.take() else { return Ok(()) };
        self.add(&format!("SELECT 1 WHERE NOT {CHECK}"), Part::Check(table));
        self.bind(rows)
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

    fn bind_rows(&mut self, rows: &Rows<'_>) -> Result<(), Break> {
        match rows {
            Rows::Json(json, _) => self.bind(json.as_str()),
            Rows::Cells(cells, version) => {
                for cell in cells {
                    match cell {
                        Value::Null => self.bind(None::<i64>),
                        Value::Boolean(flag) => self.bind(*flag),
                        Value::Integer(number) => self.bind(*number),
                        Value::Text(text) => self.bind(text.as_str()),
                        Value::Bytes(bytes) => self.bind(bytes.as_slice()),
                    }?;
                }
                version.map_or(Ok(()), |version| self.bind(version))
            }
            Rows::Pin(id, version) => {
                self.bind(*id)?;
                self.bind(*version)
            }
        }
    }

    fn bind<'q>(&mut self, value: impl Encode<'q, Sqlite> + Type<Sqlite>) -> Result<(), Break> {
        self.parameters.add(value).map_err(|error| Break::Refused(Error::Encode(error)))
    }

    /// Runs the text up to where it breaks off.
    ///
    /// The driver runs the statements of one text in order, each with the next of the parameters, and stops at the first
    /// error.
    pub(super) async fn run(self, connection: &mut SqliteConnection) -> Result<(), Break> {
        let Self { text, parameters, parts, .. } = self;
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

/// The rows that a statement takes, as [`Travel`](super::statements::Travel) has it.
pub(super) enum Rows<'r> {
    /// The cells of one row and its version, if it has one.
    Cells(Vec<&'r Value>, Option<i64>),
    /// One id and its version.
    Pin(&'r str, i64),
    /// Several rows or pins in JSON, and how many.
    Json(String, usize),
}

impl Rows<'_> {
    fn count(&self) -> i64 {
        match self {
            Self::Cells(..) | Self::Pin(..) => 1,
            Self::Json(_, rows) => i64::try_from(*rows).unwrap_or(i64::MAX),
        }
    }
}

/// Whether the error is that of a failed check, and not of the disk or the memory while checking.
fn is_check(error: &Error) -> bool {
    // SQLITE_ERROR.
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("1"))
}
