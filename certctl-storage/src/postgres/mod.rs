//! PostgreSQL: one statement, and so one round trip, per set of changes or several that come at once; shared with other
//! replicas.

mod claim;
mod clock;
mod notify;
mod seal;
mod together;
mod write;
mod writer;

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
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, IsolationLevel, Statement,
    TransactionOptions, TransactionTrait,
};
use sqlx::{Connection, Error, PgConnection, PgPool};

use crate::dialect::{self, Dialect, POSTGRES_NOW};
use crate::read::{Now, SeaSnapshot};
use crate::{DatabaseConfig, OpenError, migrations};
use clock::ServerClock;
use notify::Notifier;
use writer::Writers;

/// Records in a PostgreSQL database.
pub(crate) struct PostgresStorage {
    connection: DatabaseConnection,
    pool: PgPool,
    writers: Writers,
    clock: Arc<ServerClock>,
    notifier: Notifier,
}

impl PostgresStorage {
    /// Opens a database whose tables are up to date, or an empty one, whose tables are made.
    pub(crate) async fn open(
        url: &str,
        config: &DatabaseConfig,
        schemas: &'static [&'static Schema],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let failed = |error: Error| OpenError::Connect { url: config.redacted(), reason: error.to_string() };
        let connection = connect(url, config, config.max_connections.max(1)).await?;
        migrations::open(&connection, Dialect::Postgres, schemas).await?;
        let pool = connection.get_postgres_connection_pool().clone();
        let clock = Arc::new(ServerClock::measured(&pool, clock).await.map_err(failed)?);
        let notifier = Notifier::start(url, &pool, clock.clone()).await.map_err(failed)?;
        let writers = Writers::start(&pool, schemas);
        Ok(Self { connection, pool, writers, clock, notifier })
    }

    pub(crate) async fn close(self) {
        let Self { connection, writers, notifier, .. } = self;
        writers.close().await;
        drop(notifier);
        let _ = connection.close().await;
    }
}

/// Nearly all that is asked are a few rows by their ids or along an index. Compiling a statement takes longer than running one
/// of these; and to a planner that takes reading a page here and there for four times as slow as reading the next one, a look
/// at each of 10,000 rows seems better than a hundred look-ups.
const PLANNING: [(&str, &str); 2] = [("jit", "off"), ("random_page_cost", "1.1")];

/// A pool on the database.
pub(crate) async fn connect(
    url: &str,
    config: &DatabaseConfig,
    connections: u32,
) -> Result<DatabaseConnection, OpenError> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).min_connections(1).sqlx_logging(false);
    options.acquire_timeout(config.acquire_timeout).connect_timeout(config.acquire_timeout);
    // A ping before each use would double the round trips of a read; one that has been idle may be dead.
    options.test_before_acquire_if_idle_for(Duration::from_secs(30));
    // One prepared statement per shape of change set and of query; the default of 100 would evict.
    options.map_sqlx_postgres_opts(|options| {
        options.statement_cache_capacity(512).application_name("certctl").options(PLANNING)
    });
    match Database::connect(options).await {
        Ok(connection) => Ok(connection),
        Err(error) => Err(OpenError::Connect { url: config.redacted(), reason: reason(url, &error).await }),
    }
}

/// Why nothing is connected. A pool tries again for as long as it may, for a server that is about to start, and says
/// then only that the time is over.
#[expect(
    clippy::disallowed_methods,
    reason = "there is no store yet whose clock could be asked, and the answer is for people"
)]
async fn reason(url: &str, error: &DbErr) -> String {
    match tokio::time::timeout(Duration::from_secs(2), PgConnection::connect(url)).await {
        Ok(Err(why)) => why.to_string(),
        Ok(Ok(_)) | Err(_) => error.to_string(),
    }
}

/// A view at one point in time, which cannot write.
async fn point_in_time(connection: &DatabaseConnection) -> Result<Box<dyn Snapshot>, StorageError> {
    let options = TransactionOptions {
        isolation_level: Some(IsolationLevel::RepeatableRead),
        access_mode: Some(AccessMode::ReadOnly),
        ..Default::default()
    };
    let connection = connection.begin_with_options(options).await.map_err(dialect::orm_error)?;
    // The first query is the point in time.
    let statement = Statement::from_string(Dialect::Postgres.backend(), format!("SELECT {POSTGRES_NOW}"));
    let row = connection.query_one_raw(statement).await.map_err(dialect::orm_error)?;
    let now = row.ok_or_else(|| StorageError::fatal("the server does not tell the time"))?;
    let now = Timestamp(now.try_get_by(0).map_err(dialect::orm_error)?);
    Ok(Box::new(SeaSnapshot { connection, now: Box::new(move || now), together: together::TOGETHER }))
}

/// A view at one point in time of a database whose tables are up to date.
pub(crate) async fn read_only(
    url: &str,
    config: &DatabaseConfig,
    schemas: &'static [&'static Schema],
) -> Result<Box<dyn Snapshot>, OpenError> {
    let connection = connect(url, config, 1).await?;
    migrations::must_be_current(&connection, Dialect::Postgres, schemas).await?;
    let failed = |error: StorageError| OpenError::Connect { url: config.redacted(), reason: error.to_string() };
    point_in_time(&connection).await.map_err(failed)
}

#[async_trait]
impl Storage for PostgresStorage {
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        if view == View::Latest {
            let clock = self.clock.clone();
            let now: Now = Box::new(move || clock.now());
            return Ok(Box::new(SeaSnapshot {
                connection: self.connection.clone(),
                now,
                together: together::TOGETHER,
            }));
        }
        point_in_time(&self.connection).await
    }

    async fn apply(&self, changes: Changes) -> Result<Committed, ApplyError> {
        let changes = changes.checked()?;
        if changes.is_empty() && changes.tables().all(|table| table.pins.is_empty()) {
            return Ok(changes.committed());
        }
        let verdict = self.writers.submit(changes).await;
        if verdict.is_ok() {
            self.notifier.committed();
        }
        verdict
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StorageError> {
        claim::claim(&self.pool, &claim, || self.clock.now()).await.map_err(|error| dialect::storage_error(&error))
    }

    async fn prolong(&self, fence: Fence, lease: Duration) -> Result<(), LeaseError> {
        let held = claim::prolong(&self.pool, &fence, lease).await.map_err(|error| dialect::storage_error(&error))?;
        if held { Ok(()) } else { Err(LeaseError::Lost) }
    }

    async fn next_due(&self, query: &DueQuery) -> Result<Option<Duration>, StorageError> {
        claim::next_due(&self.pool, query).await.map_err(|error| dialect::storage_error(&error))
    }

    async fn seal_audit(&self, seal: SealAudit) -> Result<SealedAudit, StorageError> {
        seal::seal(&self.pool, seal).await
    }

    fn changed(&self) -> Option<Signal> {
        Some(self.notifier.signal())
    }
}
