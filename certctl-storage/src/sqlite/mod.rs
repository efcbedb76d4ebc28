//! SQLite: one writer task that commits in batches, and a pool of query-only readers.

#![expect(
    clippy::disallowed_methods,
    reason = "the file, its lock and the task that writes it are what this module is for"
)]

mod batch;
mod claim;
mod lock;
mod packed;
#[cfg(test)]
mod plans;
mod script;
mod seal;
mod statements;
mod together;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::domain::Timestamp;
use certctl_core::entity::Schema;
use certctl_core::ports::Clock;
use certctl_core::signal::Signal;
use certctl_core::storage::{
    ApplyError, Changes, Claim, Claimed, Committed, DueQuery, Fence, LeaseError, SealAudit, SealedAudit, Snapshot,
    Storage, StorageError, View,
};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, TransactionTrait};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::dialect::{self, Dialect};
use crate::read::{Now, SeaSnapshot};
use crate::{DatabaseConfig, OpenError, migrations};
use writer::{Command, Queue, Writer};

/// Records in one SQLite file.
pub(crate) struct SqliteStorage {
    readers: DatabaseConnection,
    writer: Queue,
    clock: Arc<dyn Clock>,
}

impl SqliteStorage {
    /// Opens the file, makes it when it is missing, and brings its tables up to date.
    pub(crate) async fn open(
        path: &Path,
        config: &DatabaseConfig,
        schemas: &'static [&'static Schema],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let file_error = |reason: String| OpenError::File { path: path.to_owned(), reason };
        let lock = lock::FileLock::take(path)?;
        let migrating = connect(path, config, false).await?;
        migrations::open(&migrating, Dialect::Sqlite, schemas).await?;
        migrating.close().await.map_err(|error| file_error(error.to_string()))?;
        let connection = options(path, false).connect().await.map_err(|error| file_error(error.to_string()))?;
        let readers = connect(path, config, true).await?;
        let writer = Writer::new(connection, schemas, clock.clone(), lock).start();
        Ok(Self { readers, writer, clock })
    }

    /// Commits what is queued and closes the file.
    pub(crate) async fn close(self) {
        // The readers go first: whoever closes last folds the log into the file.
        let _ = self.readers.close().await;
        self.writer.close().await;
    }

    /// The partitions of a queue in which something is due, asked of a reader so that idle polling needs no writer.
    async fn partitions_due(&self, claim: &Claim, now: Timestamp) -> Result<Vec<(String, u32)>, StorageError> {
        let permits = claim.permits();
        let statement = claim::partitions_due(claim.queue, permits.keys().copied(), now);
        let rows = self.readers.query_all_raw(statement).await.map_err(dialect::orm_error)?;
        let names = rows.iter().map(|row| row.try_get_by::<String, _>(0)).collect::<Result<Vec<_>, _>>();
        let due = |name: String| permits.get(name.as_str()).map(|free| (name, *free));
        Ok(names.map_err(dialect::orm_error)?.into_iter().filter_map(due).collect())
    }
}

/// A file that other users of the machine cannot read; SQLite gives its log the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn options(path: &Path, query_only: bool) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        // Of readers one per shape of query. Of the writer one per shape of batch, each of as many statements as it has tables.
        .statement_cache_capacity(if query_only { 512 } else { 128 })
        // Every so many pages of the log the writer copies them into the file, and waits for the disk. A page that many
        // commits changed is copied once, so it pays to let them come together; 16 MiB are read again after a crash.
        .pragma("wal_autocheckpoint", "4096")
        // A long read lets the log grow; it shrinks again to this many bytes.
        .pragma("journal_size_limit", "67108864")
        // The pages that a reader keeps, in KiB: lists of a million rows walk through the same upper pages of their trees all the
        // time. It takes memory as it is used, and a small store never uses it.
        .pragma("cache_size", if query_only { "-4096" } else { "-2000" })
        .pragma("query_only", if query_only { "ON" } else { "OFF" })
        .disable_statement_logging()
}

pub(crate) async fn connect(
    path: &Path,
    config: &DatabaseConfig,
    query_only: bool,
) -> Result<DatabaseConnection, OpenError> {
    let file_error = |reason: String| OpenError::File { path: path.to_owned(), reason };
    create_private(path).map_err(|error| file_error(error.to_string()))?;
    let connections = if query_only { config.max_connections.clamp(1, 8) } else { 1 };
    let mut connect = ConnectOptions::new("sqlite:");
    // A ping before every use would cost one more hop to the connection's thread, to ask a file whether it is there.
    connect.max_connections(connections).min_connections(1).test_before_acquire(false).sqlx_logging(false);
    connect.acquire_timeout(config.acquire_timeout);
    let sqlite = options(path, query_only);
    connect.map_sqlx_sqlite_opts(move |_| sqlite.clone());
    Database::connect(connect).await.map_err(|error| file_error(error.to_string()))
}

/// A view at one point in time of a file that is left as it is.
pub(crate) async fn read_only(
    path: &Path,
    config: &DatabaseConfig,
    schemas: &'static [&'static Schema],
    clock: Arc<dyn Clock>,
) -> Result<Box<dyn Snapshot>, OpenError> {
    let file_error = |reason: String| OpenError::File { path: path.to_owned(), reason };
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    // Without a log nobody has the file open, and SQLite would make one to read it by. With one, its locks keep the view whole
    // beside a server that writes.
    let has_log = Path::new(&log).exists();
    let sqlite = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(!has_log)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging();
    let mut connect = ConnectOptions::new("sqlite:");
    connect.max_connections(1).min_connections(1).test_before_acquire(false).sqlx_logging(false);
    connect.acquire_timeout(config.acquire_timeout);
    connect.map_sqlx_sqlite_opts(move |_| sqlite.clone());
    let connection = Database::connect(connect).await.map_err(|error| file_error(error.to_string()))?;
    migrations::must_be_current(&connection, Dialect::Sqlite, schemas).await?;
    let view = connection.begin().await.map_err(|error| file_error(error.to_string()))?;
    view.execute_unprepared("SELECT 1 FROM sqlite_schema").await.map_err(|error| file_error(error.to_string()))?;
    let now = clock.now();
    Ok(Box::new(SeaSnapshot { connection: view, now: Box::new(move || now), together: together::TOGETHER }))
}

#[async_trait]
impl Storage for SqliteStorage {
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        if view == View::Latest {
            let clock = self.clock.clone();
            let now: Now = Box::new(move || clock.now());
            return Ok(Box::new(SeaSnapshot { connection: self.readers.clone(), now, together: together::TOGETHER }));
        }
        let connection = self.readers.begin().await.map_err(dialect::orm_error)?;
        // A deferred transaction is a snapshot from its first read on.
        connection.execute_unprepared("SELECT 1 FROM sqlite_schema").await.map_err(dialect::orm_error)?;
        let now = self.clock.now();
        Ok(Box::new(SeaSnapshot { connection, now: Box::new(move || now), together: together::TOGETHER }))
    }

    async fn apply(&self, changes: Changes) -> Result<Committed, ApplyError> {
        let changes = changes.checked()?;
        if changes.is_empty() && changes.tables().all(|table| table.pins.is_empty()) {
            return Ok(changes.committed());
        }
        self.writer.submit(changes.len(), |reply| Command::Apply(changes, reply)).await?
    }

    async fn claim(&self, mut claim: Claim) -> Result<Claimed, StorageError> {
        let now = self.clock.now();
        claim.partitions = self.partitions_due(&claim, now).await?;
        if claim.partitions.is_empty() {
            return Ok(Claimed { now, rows: Vec::new() });
        }
        self.writer.submit(1, |reply| Command::Claim(claim, reply)).await?
    }

    async fn prolong(&self, fence: Fence, lease: Duration) -> Result<(), LeaseError> {
        self.writer.submit(1, |reply| Command::Prolong(fence, lease, reply)).await?
    }

    async fn next_due(&self, query: &DueQuery) -> Result<Option<Duration>, StorageError> {
        let row = self.readers.query_one_raw(claim::next_due(query)).await.map_err(dialect::orm_error)?;
        let due: Option<i64> = row.map(|row| row.try_get_by(0)).transpose().map_err(dialect::orm_error)?.flatten();
        Ok(due.map(|due| Timestamp(due).since(self.clock.now())))
    }

    async fn seal_audit(&self, seal: SealAudit) -> Result<SealedAudit, StorageError> {
        // Idle passes need no writer.
        if let Some(head) = seal::head_if_all_is_sealed(&self.readers, seal.events).await? {
            return Ok(SealedAudit { rows: 0, head: Some(head) });
        }
        self.writer.submit(1, |reply| Command::Seal(seal, reply)).await?
    }

    fn changed(&self) -> Option<Signal> {
        None
    }
}

/// Closes the writer's connection, which folds the log into the file when it is the last one.
async fn close(connection: sqlx::SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the database file was not closed cleanly; its log is replayed at the next start");
    }
}
