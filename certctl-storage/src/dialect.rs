//! Everything in which the two databases differ in text: types, the clock, and how they name a refusal.

use std::time::Duration;

use certctl_core::domain::UNSEALED;
use certctl_core::entity::{Column, Kind, Schema, Value};
use certctl_core::storage::{AUDIT_TABLE, SealAudit, StorageError};
use sea_orm::sea_query::{Alias, ColumnDef};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// A constraint that refused a write, as far as the database names it.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The unique index or primary key of this table; the field to blame.
    Unique {
        entity: &'static str,
        field: &'static str,
    },
    ForeignKey,
}

/// PostgreSQL's clock in microseconds, at the start of the statement; constant within it, so that indexes are used.
pub(crate) const POSTGRES_NOW: &str = "(extract(epoch FROM now()) * 1000000)::bigint";

/// The pause after which a set is tried again that was given up for the sake of another.
pub(crate) const AT_ONCE: Duration = Duration::from_millis(10);

/// What a migration locks so that two servers do not migrate at once: any constant will do.
const POSTGRES_MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(4711202601120001)";

/// Whether this transaction is the one that seals the audit trail of this database: any constant will do.
pub(crate) const POSTGRES_SEAL_LOCK: &str = "SELECT pg_try_advisory_xact_lock(4711202601120002)";

impl Dialect {
    pub(crate) fn backend(self) -> DbBackend {
        match self {
            Self::Sqlite => DbBackend::Sqlite,
            Self::Postgres => DbBackend::Postgres,
        }
    }

    pub(crate) fn of(backend: DbBackend) -> Self {
        match backend {
            DbBackend::Sqlite => Self::Sqlite,
            _ => Self::Postgres,
        }
    }

    /// Whether a server brings a database with an older schema up to date by itself: a file has no other user.
    pub(crate) fn migrates_itself(self) -> bool {
        self == Self::Sqlite
    }

    /// Whether foreign keys hold on every connection, whoever opened it.
    pub(crate) fn checks_always(self) -> bool {
        self == Self::Postgres
    }

    /// Begins a transaction that no other migration can be in at the same time.
    pub(crate) async fn begin_migration(self, connection: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
        match self {
            Self::Sqlite => {
                let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
                connection
                    .begin_with_options(TransactionOptions { sqlite_transaction_mode, ..Default::default() })
                    .await
            }
            Self::Postgres => {
                let transaction = connection.begin().await?;
                transaction.execute_unprepared(POSTGRES_MIGRATION_LOCK).await?;
                Ok(transaction)
            }
        }
    }

    pub(crate) fn sql_type(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Sqlite, Kind::Text) => "TEXT",
            (Self::Sqlite, Kind::Integer | Kind::Boolean) => "INTEGER",
            (Self::Sqlite, Kind::Bytes) => "BLOB",
            // Bytewise order, as in SQLite and in Rust: pages and cursors must agree everywhere.
            (Self::Postgres, Kind::Text) => "text COLLATE \"C\"",
            (Self::Postgres, Kind::Integer) => "bigint",
            (Self::Postgres, Kind::Boolean) => "boolean",
            (Self::Postgres, Kind::Bytes) => "bytea",
        }
    }

    /// The type to cast a parameter of PostgreSQL to.
    pub(crate) fn postgres_parameter(kind: Kind) -> &'static str {
        match kind {
            Kind::Text => "text",
            Kind::Integer => "bigint",
            Kind::Boolean => "boolean",
            Kind::Bytes => "bytea",
        }
    }

    /// The octets of a column in all rows, one behind the other; null where there are none.
    pub(crate) fn joined(self, column: &str) -> String {
        match self {
            // Of octets it takes each as it is.
            Self::Sqlite => format!("CAST(group_concat(\"{column}\", '') AS BLOB)"),
            Self::Postgres => format!("string_agg(\"{column}\", ''::bytea)"),
        }
    }

    pub(crate) fn column(self, column: &Column) -> ColumnDef {
        let mut definition = ColumnDef::new(Alias::new(column.name));
        definition.custom(Alias::new(self.sql_type(column.kind)));
        if !column.nullable {
            definition.not_null();
        }
        definition
    }

    /// What follows the columns of a new table. A table that is ordered by its own key needs no second tree from key to row,
    /// which each new row would have to change as well. Rows that may be large are another matter: they would stand in the upper
    /// pages of the tree too, few on each, and be read whole for every comparison of a key on the way down.
    pub(crate) fn table_suffix(self, schema: &Schema) -> Option<&'static str> {
        let large = schema.columns.iter().any(|column| column.kind == Kind::Bytes);
        (self == Self::Sqlite).then_some(if large { "STRICT" } else { "STRICT, WITHOUT ROWID" })
    }

    /// What makes a table refuse, below the engine, that its rows are changed or deleted. A row of the audit trail is changed
    /// once: when it gets its place in the chain, and then in nothing else.
    pub(crate) fn append_only(self, schema: &Schema) -> Vec<String> {
        let table = schema.table;
        let is = match self {
            Self::Sqlite => "IS",
            Self::Postgres => "IS NOT DISTINCT FROM",
        };
        let sealed = [SealAudit::SEQ, SealAudit::HASH];
        let kept = schema.columns.iter().map(|column| column.name).filter(|name| !sealed.contains(name));
        let kept: Vec<String> = kept.map(|name| format!(" AND NEW.\"{name}\" {is} OLD.\"{name}\"")).collect();
        let kept = kept.concat();
        let unless = if table == AUDIT_TABLE {
            format!("WHEN (NOT (OLD.\"seq\" = {UNSEALED} AND NEW.\"seq\" < {UNSEALED}{kept}))")
        } else {
            String::new()
        };
        match self {
            Self::Sqlite => [("update", "UPDATE", unless.as_str()), ("delete", "DELETE", "")]
                .map(|(name, verb, unless)| {
                    format!(
                        "CREATE TRIGGER \"{table}_no_{name}\" BEFORE {verb} ON \"{table}\" {unless} \
                         BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed or deleted'); END"
                    )
                })
                .to_vec(),
            Self::Postgres => [
                ("update", "UPDATE", "ROW", unless.as_str()),
                ("delete", "DELETE", "ROW", ""),
                ("truncate", "TRUNCATE", "STATEMENT", ""),
            ]
            .map(|(name, verb, each, unless)| {
                format!(
                    "CREATE TRIGGER \"{table}_no_{name}\" BEFORE {verb} ON \"{table}\" FOR EACH {each} {unless} \
                     EXECUTE FUNCTION certctl_refuse_change()"
                )
            })
            .to_vec(),
        }
    }

    /// What [`append_only`](Self::append_only) calls.
    pub(crate) fn append_only_before(self) -> Option<&'static str> {
        (self == Self::Postgres).then_some(
            "CREATE OR REPLACE FUNCTION certctl_refuse_change() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME; END $$",
        )
    }

    /// Undoes [`append_only`](Self::append_only).
    pub(crate) fn append_only_undone(self, schema: &Schema) -> Vec<String> {
        let table = schema.table;
        let (names, on): (&[&str], _) = match self {
            Self::Sqlite => (&["update", "delete"], String::new()),
            Self::Postgres => (&["update", "delete", "truncate"], format!(" ON \"{table}\"")),
        };
        names.iter().map(|name| format!("DROP TRIGGER IF EXISTS \"{table}_no_{name}\"{on}")).collect()
    }

    /// Undoes [`append_only_before`](Self::append_only_before).
    pub(crate) fn append_only_before_undone(self) -> Option<&'static str> {
        (self == Self::Postgres).then_some("DROP FUNCTION IF EXISTS certctl_refuse_change()")
    }

    /// The names of the tables that are there.
    pub(crate) fn tables_query(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1"
            }
            Self::Postgres => {
                "SELECT tablename::text FROM pg_catalog.pg_tables WHERE schemaname = current_schema() ORDER BY 1"
            }
        }
    }

    /// One text per table and index, as the database itself describes it, for the snapshot.
    pub(crate) fn describe_query(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT type || ' ' || name || char(10) || coalesce(sql, '') FROM sqlite_schema \
                 WHERE name NOT LIKE 'sqlite%' AND name <> 'seaql_migrations' ORDER BY tbl_name, type DESC, name"
            }
            Self::Postgres => {
                "SELECT line FROM ( \
                 SELECT c.table_name::text AS t, 1 AS k, c.ordinal_position::int AS n, 'column ' || c.table_name || '.' \
                   || c.column_name || ' ' || c.data_type || coalesce(' collate ' || c.collation_name, '') \
                   || CASE c.is_nullable WHEN 'NO' THEN ' not null' ELSE '' END AS line \
                 FROM information_schema.columns c WHERE c.table_schema = current_schema() \
                 UNION ALL SELECT x.tablename::text, 2, 0, x.indexdef FROM pg_catalog.pg_indexes x \
                 WHERE x.schemaname = current_schema() \
                 UNION ALL SELECT r.relname::text, 3, 0, 'constraint ' || r.relname || '.' || k.conname || ' ' \
                   || pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k \
                 JOIN pg_catalog.pg_class r ON r.oid = k.conrelid JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace \
                 WHERE s.nspname = current_schema() AND k.contype = 'f' \
                 UNION ALL SELECT r.relname::text, 4, 0, pg_get_triggerdef(g.oid, true) FROM pg_catalog.pg_trigger g \
                 JOIN pg_catalog.pg_class r ON r.oid = g.tgrelid JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace \
                 WHERE s.nspname = current_schema() AND NOT g.tgisinternal \
                 ) AS lines WHERE t <> 'seaql_migrations' ORDER BY t, k, n, line"
            }
        }
    }

    /// The constraint behind a database error, if there is one.
    pub(crate) fn refusal(self, error: &sqlx::Error, schemas: &[&'static Schema]) -> Option<Refusal> {
        let source = error.as_database_error()?;
        // SQLite reports RESTRICT as a trigger (1811), newer PostgreSQL as 23001; sqlx takes neither for a foreign key.
        if source.is_foreign_key_violation() || matches!(source.code().as_deref(), Some("1811" | "23001")) {
            return Some(Refusal::ForeignKey);
        }
        if !source.is_unique_violation() {
            return None;
        }
        match self {
            Self::Postgres => {
                let schema = find(schemas, source.table()?)?;
                let field = schema.conflicting_field(source.constraint()?);
                Some(Refusal::Unique { entity: schema.table, field })
            }
            // "UNIQUE constraint failed: jobs.certificate_id[, jobs.…]": SQLite offers nothing but this message.
            Self::Sqlite => {
                let (_, names) = source.message().rsplit_once(": ")?;
                let (table, column) = names.rsplit(", ").next()?.split_once('.')?;
                let schema = find(schemas, table)?;
                let field = schema.columns.get(schema.position(column)?)?.name;
                Some(Refusal::Unique { entity: schema.table, field })
            }
        }
    }
}

fn find(schemas: &[&'static Schema], table: &str) -> Option<&'static Schema> {
    schemas.iter().find(|schema| schema.table == table).copied()
}

/// A text without what PostgreSQL cannot compare with: everything from the first U+0000.
///
/// Stored texts hold none, so `below` such a text is the same as `at most` what is before it.
pub(crate) fn before_nul(value: &Value) -> Option<&str> {
    value.as_text()?.split_once('\0').map(|(before, _)| before)
}

/// Errors of the database that are no constraint: what may be tried again, and what may not.
pub(crate) fn storage_error(error: &sqlx::Error) -> StorageError {
    let Some(database) = error.as_database_error() else {
        return match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::TypeNotFound { .. } => {
                StorageError::fatal(error)
            }
            _ => unavailable(error, 200),
        };
    };
    let code = database.code().unwrap_or_default();
    if let Ok(number) = code.parse::<u32>()
        && database.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some()
    {
        return match number & 0xff {
            // Busy, locked, out of memory, interrupted, disk full.
            5 | 6 | 7 | 9 | 13 => unavailable(error, 200),
            _ => StorageError::fatal(error),
        };
    }
    match code.as_ref() {
        // Deadlock and serialization failure: at once.
        "40P01" | "40001" => StorageError::Unavailable { reason: error.to_string(), retry_after: AT_ONCE },
        // Connection trouble, too few resources, shutting down or starting.
        code if code == "55P03" || code.starts_with("08") || code.starts_with("53") || code.starts_with("57P") => {
            unavailable(error, 500)
        }
        _ => StorageError::fatal(error),
    }
}

/// The same for errors that come through sea-orm.
pub(crate) fn orm_error(error: DbErr) -> StorageError {
    match &error {
        DbErr::Exec(RuntimeErr::SqlxError(source))
        | DbErr::Query(RuntimeErr::SqlxError(source))
        | DbErr::Conn(RuntimeErr::SqlxError(source)) => storage_error(source),
        DbErr::ConnectionAcquire(_) => unavailable(&error, 200),
        _ => StorageError::fatal(error),
    }
}

/// Whether SQLite may have ended the whole transaction rather than the statement.
pub(crate) fn ends_sqlite_transaction(error: &sqlx::Error) -> bool {
    let Some(database) = error.as_database_error() else { return true };
    let primary = database.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff);
    // Generic errors, constraints, mismatches and ranges end the statement alone.
    !matches!(primary, Some(1 | 18 | 19 | 20 | 25))
}

/// Whether the file must not be written any more: an I/O error, a damaged file, or no database at all.
pub(crate) fn is_fatal_for_sqlite(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code()?.parse::<u32>().ok());
    matches!(code.map(|code| code & 0xff), Some(10 | 11 | 26))
}

/// Whether a cell would have been larger than SQLite allows.
pub(crate) fn is_too_big_for_sqlite(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source))) = error else {
        return false;
    };
    let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == "18")
}

fn unavailable(error: impl ToString, millis: u64) -> StorageError {
    StorageError::Unavailable { reason: error.to_string(), retry_after: Duration::from_millis(millis) }
}
