//! The steps that make the tables, in order, each bookkept and all or nothing.
//!
//! A new step is a new file here and a line in [`Migrator::migrations`]; a step that has been released never changes.
//! Steps expand first and contract a release later, so that replicas of two versions can share the tables.

mod m20260101_initial;
mod m20260102_append_only;

use certctl_core::entity::Schema;
use sea_orm::Statement;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use sea_orm_migration::{MigrationTrait, MigratorTraitSelf};

use crate::config::Location;
use crate::dialect::Dialect;
use crate::{DatabaseConfig, OpenError, postgres, sqlite};

/// Where sea-orm keeps the books.
const BOOKS: &str = "seaql_migrations";

/// The migrations of a list of tables, parents before children.
struct Migrator(&'static [&'static Schema]);

impl MigratorTraitSelf for Migrator {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20260101_initial::Initial(self.0)), Box::new(m20260102_append_only::AppendOnly(self.0))]
    }
}

/// What has been done to a database.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MigrationStatus {
    /// There is nothing in it.
    Empty,
    /// Its tables are those of this version.
    Current,
    /// These migrations have not run.
    Pending(Vec<String>),
    /// These migrations have run but are not known here.
    Newer(Vec<String>),
    /// It holds tables that no migration made, or lacks some that one did.
    Foreign(String),
}

/// Brings a database up to date: what `certctl migrate` does. Answers what was done before.
pub async fn migrate(
    config: &DatabaseConfig,
    schemas: &'static [&'static Schema],
) -> Result<MigrationStatus, OpenError> {
    with_connection(config, async |connection, dialect| up(connection, dialect, schemas).await).await
}

/// Undoes the last `steps` migrations, and with them what is in their tables.
pub async fn migrate_down(
    config: &DatabaseConfig,
    schemas: &'static [&'static Schema],
    steps: u32,
) -> Result<(), OpenError> {
    with_connection(config, async |connection, dialect| {
        let transaction = dialect.begin_migration(connection).await.map_err(failed)?;
        Migrator(schemas).down(&transaction, Some(steps)).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    })
    .await
}

/// What has been done to a database; changes nothing.
pub async fn migration_status(
    config: &DatabaseConfig,
    schemas: &'static [&'static Schema],
) -> Result<MigrationStatus, OpenError> {
    with_connection(config, async |connection, dialect| status(connection, dialect, schemas).await.map_err(failed))
        .await
}

/// The tables and indexes as the database describes them, for comparing two of them.
pub async fn schema_snapshot(config: &DatabaseConfig) -> Result<String, OpenError> {
    with_connection(config, async |connection, dialect| {
        let lines = texts(connection, dialect, dialect.describe_query()).await.map_err(failed)?;
        Ok(lines.into_iter().map(|line| line + "\n").collect())
    })
    .await
}

/// What opening a store does: SQLite and an empty PostgreSQL database are migrated, anything else must be current.
pub(crate) async fn open(
    connection: &DatabaseConnection,
    dialect: Dialect,
    schemas: &'static [&'static Schema],
) -> Result<(), OpenError> {
    match status(connection, dialect, schemas).await.map_err(failed)? {
        MigrationStatus::Current => Ok(()),
        MigrationStatus::Empty => up(connection, dialect, schemas).await.map(drop),
        MigrationStatus::Pending(_) if dialect.migrates_itself() => up(connection, dialect, schemas).await.map(drop),
        MigrationStatus::Pending(pending) => Err(OpenError::NotMigrated { pending }),
        MigrationStatus::Newer(unknown) => Err(OpenError::Newer { unknown }),
        MigrationStatus::Foreign(reason) => Err(OpenError::Foreign { reason }),
    }
}

/// What only reading a store does: anything but the tables of this version is refused, and nothing is changed.
pub(crate) async fn must_be_current(
    connection: &DatabaseConnection,
    dialect: Dialect,
    schemas: &'static [&'static Schema],
) -> Result<(), OpenError> {
    match status(connection, dialect, schemas).await.map_err(failed)? {
        MigrationStatus::Current => Ok(()),
        MigrationStatus::Empty => {
            let pending = Migrator(schemas).migrations().iter().map(|step| step.name().to_owned()).collect();
            Err(OpenError::NotMigrated { pending })
        }
        MigrationStatus::Pending(pending) => Err(OpenError::NotMigrated { pending }),
        MigrationStatus::Newer(unknown) => Err(OpenError::Newer { unknown }),
        MigrationStatus::Foreign(reason) => Err(OpenError::Foreign { reason }),
    }
}

/// Looks again under the lock: another server may have migrated meanwhile.
async fn up(
    connection: &DatabaseConnection,
    dialect: Dialect,
    schemas: &'static [&'static Schema],
) -> Result<MigrationStatus, OpenError> {
    let transaction = dialect.begin_migration(connection).await.map_err(failed)?;
    let before = status(&transaction, dialect, schemas).await.map_err(failed)?;
    match &before {
        MigrationStatus::Current => {}
        MigrationStatus::Empty | MigrationStatus::Pending(_) => {
            Migrator(schemas).up(&transaction, None).await.map_err(failed)?;
        }
        MigrationStatus::Newer(unknown) => return Err(OpenError::Newer { unknown: unknown.clone() }),
        MigrationStatus::Foreign(reason) => return Err(OpenError::Foreign { reason: reason.clone() }),
    }
    transaction.commit().await.map_err(failed)?;
    Ok(before)
}

async fn status(
    connection: &impl ConnectionTrait,
    dialect: Dialect,
    schemas: &'static [&'static Schema],
) -> Result<MigrationStatus, DbErr> {
    let tables = texts(connection, dialect, dialect.tables_query()).await?;
    let applied = if tables.iter().any(|table| table == BOOKS) {
        texts(connection, dialect, &format!("SELECT version FROM {BOOKS} ORDER BY version")).await?
    } else {
        Vec::new()
    };
    let known: Vec<String> = Migrator(schemas).migrations().iter().map(|m| m.name().to_owned()).collect();
    let without = |all: &[String], some: &[String]| all.iter().filter(|name| !some.contains(name)).cloned().collect();
    let (unknown, pending): (Vec<String>, Vec<String>) = (without(&applied, &known), without(&known, &applied));
    if !unknown.is_empty() {
        return Ok(MigrationStatus::Newer(unknown));
    }
    if applied.is_empty() {
        let there: Vec<String> = tables.into_iter().filter(|table| table != BOOKS).collect();
        let foreign =
            || MigrationStatus::Foreign(format!("it holds {} without a record of migrations", there.join(", ")));
        return Ok(if there.is_empty() { MigrationStatus::Empty } else { foreign() });
    }
    if !pending.is_empty() {
        return Ok(MigrationStatus::Pending(pending));
    }
    let missing: Vec<&str> =
        schemas.iter().map(|schema| schema.table).filter(|table| !tables.iter().any(|t| t == table)).collect();
    if !missing.is_empty() {
        return Ok(MigrationStatus::Foreign(format!("it lacks {}", missing.join(", "))));
    }
    // Tables of somebody else's beside ours do no harm.
    Ok(MigrationStatus::Current)
}

async fn texts(connection: &impl ConnectionTrait, dialect: Dialect, sql: &str) -> Result<Vec<String>, DbErr> {
    let rows = connection.query_all_raw(Statement::from_string(dialect.backend(), sql)).await?;
    rows.iter().map(|row| row.try_get_by::<String, _>(0)).collect()
}

async fn with_connection<T>(
    config: &DatabaseConfig,
    work: impl AsyncFnOnce(&DatabaseConnection, Dialect) -> Result<T, OpenError>,
) -> Result<T, OpenError> {
    let location = config.location()?;
    let connection = match &location {
        Location::Sqlite(path) => sqlite::connect(path, config, false).await?,
        Location::Postgres(url) => postgres::connect(url, config, 1).await?,
    };
    let result = work(&connection, location.dialect()).await;
    connection.close().await.map_err(failed)?;
    result
}

fn failed(error: DbErr) -> OpenError {
    OpenError::Migration { reason: error.to_string() }
}
