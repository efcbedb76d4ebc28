//! The store: one of the two databases, chosen by the URL.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::entity::Schema;
use certctl_core::ports::Clock;
use certctl_core::signal::Signal;
use certctl_core::storage::{
    ApplyError, Changes, Claim, Claimed, Committed, DueQuery, Fence, LeaseError, SealAudit, SealedAudit, Snapshot,
    Storage, StorageError, View,
};

use crate::config::Location;
use crate::postgres::{self, PostgresStorage};
use crate::sqlite::{self, SqliteStorage};
use crate::{DatabaseConfig, OpenError};

/// Records in a SQLite file or a PostgreSQL database.
pub struct SeaStorage(Backend);

enum Backend {
    Sqlite(SqliteStorage),
    Postgres(PostgresStorage),
}

/// A view of a database at one point in time. Nothing is written, neither tables nor locks: a server may have it, and it may be a
/// backup on a medium that takes no writes. Needs a tokio runtime for as long as the view lives.
///
/// A SQLite file must be there, and the tables must be those of this version. The clock is the store's on SQLite.
///
/// # Errors
/// [`OpenError`]: the URL, the file or the server cannot be used, or the tables are not those of this version.
pub async fn read_only(
    config: &DatabaseConfig,
    schemas: &'static [&'static Schema],
    clock: Arc<dyn Clock>,
) -> Result<Box<dyn Snapshot>, OpenError> {
    match config.location()? {
        Location::Sqlite(path) => sqlite::read_only(&path, config, schemas, clock).await,
        Location::Postgres(url) => postgres::read_only(&url, config, schemas).await,
    }
}

impl SeaStorage {
    /// Opens the database of these tables, parents before children. Needs a tokio runtime for as long as it lives.
    ///
    /// A SQLite file and an empty PostgreSQL database are migrated; another PostgreSQL database must be up to date. The
    /// clock is the store's on SQLite, and bridges the time between two looks at the server's on PostgreSQL.
    ///
    /// # Errors
    /// [`OpenError`]: the URL, the file or the server cannot be used, another process has the file, or the tables are
    /// not those of this version.
    pub async fn connect(
        config: &DatabaseConfig,
        schemas: &'static [&'static Schema],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        Ok(Self(match config.location()? {
            Location::Sqlite(path) => Backend::Sqlite(SqliteStorage::open(&path, config, schemas, clock).await?),
            Location::Postgres(url) => Backend::Postgres(PostgresStorage::open(&url, config, schemas, clock).await?),
        }))
    }

    /// Commits what is queued and closes the database. Dropping the store does the same in the background.
    pub async fn close(self) {
        match self.0 {
            Backend::Sqlite(store) => store.close().await,
            Backend::Postgres(store) => store.close().await,
        }
    }

    fn backend(&self) -> &dyn Storage {
        match &self.0 {
            Backend::Sqlite(store) => store,
            Backend::Postgres(store) => store,
        }
    }
}

impl std::fmt::Debug for SeaStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.0 {
            Backend::Sqlite(_) => "sqlite",
            Backend::Postgres(_) => "postgres",
        };
        f.debug_tuple("SeaStorage").field(&name).finish()
    }
}

#[async_trait]
impl Storage for SeaStorage {
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        self.backend().read(view).await
    }
    async fn apply(&self, changes: Changes) -> Result<Committed, ApplyError> {
        self.backend().apply(changes).await
    }
    async fn claim(&self, claim: Claim) -> Result<Claimed, StorageError> {
        self.backend().claim(claim).await
    }
    async fn prolong(&self, fence: Fence, lease: Duration) -> Result<(), LeaseError> {
        self.backend().prolong(fence, lease).await
    }
    async fn next_due(&self, query: &DueQuery) -> Result<Option<Duration>, StorageError> {
        self.backend().next_due(query).await
    }
    async fn seal_audit(&self, seal: SealAudit) -> Result<SealedAudit, StorageError> {
        self.backend().seal_audit(seal).await
    }
    fn changed(&self) -> Option<Signal> {
        self.backend().changed()
    }
}
