//! Migrations, up and down, the states in which they are refused, and the tables they make.
//!
//! The tables of the engine are committed in `schema/`. After a change of the entities: before the first release run
//! with `CERTCTL_UPDATE_SCHEMA=1`; after it, write a migration first.

use std::path::Path;
use std::sync::Arc;

use certctl_core::domain;
use certctl_core::testing::storage::SCHEMAS;
use certctl_storage::{
    DatabaseConfig, MigrationStatus, OpenError, SeaStorage, migrate, migrate_down, migration_status, schema_snapshot,
};
use futures_util::future::join_all;
use libtest_mimic::Trial;
use sea_orm::{ConnectionTrait, Database};

use crate::clock::SystemClock;
use crate::{Server, on_postgres, on_sqlite};

/// More than there are.
const STEPS: u32 = 100;

pub(crate) fn trials(server: &Server) -> Vec<Trial> {
    let mut trials = vec![on_postgres(server, "servers_that_start_together_migrate_once", together)];
    macro_rules! both {
        ($($trial:ident),*) => { $(
            trials.push(on_sqlite(stringify!($trial), async |path| {
                $trial(DatabaseConfig::new(format!("sqlite:{}", path.display()))).await
            }));
            trials.push(on_postgres(server, stringify!($trial), async |url| $trial(DatabaseConfig::new(url)).await));
        )* };
    }
    both![
        up_and_down_and_up_again,
        the_tables_of_the_engine_are_the_committed_ones,
        a_newer_database_is_refused,
        a_foreign_database_is_refused,
        a_database_without_books_is_refused,
        a_database_that_lacks_a_table_is_refused
    ];
    trials
}

async fn open(config: &DatabaseConfig) -> Result<(), OpenError> {
    SeaStorage::connect(config, SCHEMAS, Arc::new(SystemClock)).await?.close().await;
    Ok(())
}

async fn execute(config: &DatabaseConfig, sql: &str) {
    // Made the way the store makes it, so that SQLite's file is there.
    migration_status(config, SCHEMAS).await.unwrap();
    let raw = Database::connect(&config.url).await.unwrap();
    raw.execute_unprepared(sql).await.unwrap();
    raw.close().await.unwrap();
}

async fn up_and_down_and_up_again(config: DatabaseConfig) {
    assert_eq!(migration_status(&config, SCHEMAS).await, Ok(MigrationStatus::Empty));
    assert_eq!(migrate(&config, SCHEMAS).await, Ok(MigrationStatus::Empty));
    assert_eq!(migrate(&config, SCHEMAS).await, Ok(MigrationStatus::Current));
    let first = schema_snapshot(&config).await.unwrap();
    assert!(SCHEMAS.iter().all(|schema| first.contains(schema.table)), "{first}");
    open(&config).await.unwrap();
    migrate_down(&config, SCHEMAS, STEPS).await.unwrap();
    assert_eq!(schema_snapshot(&config).await.as_deref(), Ok(""));
    assert_eq!(migration_status(&config, SCHEMAS).await, Ok(MigrationStatus::Empty));
    // An empty database is migrated by opening it.
    open(&config).await.unwrap();
    assert_eq!(schema_snapshot(&config).await, Ok(first));
}

async fn the_tables_of_the_engine_are_the_committed_ones(config: DatabaseConfig) {
    migrate(&config, domain::SCHEMAS).await.unwrap();
    let made = schema_snapshot(&config).await.unwrap();
    let name = if config.url.starts_with("sqlite") { "sqlite.txt" } else { "postgres.txt" };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(name);
    if std::env::var_os("CERTCTL_UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = made.lines().zip(committed.lines()).find(|(made, committed)| made != committed);
    assert!(made == committed, "{} is not what the migrations make; first difference: {differs:?}", path.display());
    migrate_down(&config, domain::SCHEMAS, STEPS).await.unwrap();
    assert_eq!(schema_snapshot(&config).await.as_deref(), Ok(""));
}

async fn a_newer_database_is_refused(config: DatabaseConfig) {
    open(&config).await.unwrap();
    execute(&config, "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_future', 0)").await;
    let newer = OpenError::Newer { unknown: vec!["m29990101_future".into()] };
    assert_eq!(open(&config).await, Err(newer.clone()));
    assert_eq!(migrate(&config, SCHEMAS).await, Err(newer));
}

async fn a_foreign_database_is_refused(config: DatabaseConfig) {
    execute(&config, "CREATE TABLE somebody_elses (id INTEGER)").await;
    let refused = open(&config).await.unwrap_err();
    assert!(matches!(refused, OpenError::Foreign { .. }), "{refused}");
    assert!(refused.to_string().contains("somebody_elses") && refused.to_string().contains("certctl migrate"));
    assert!(matches!(migrate(&config, SCHEMAS).await, Err(OpenError::Foreign { .. })));
}

async fn a_database_without_books_is_refused(config: DatabaseConfig) {
    open(&config).await.unwrap();
    execute(&config, "DELETE FROM seaql_migrations").await;
    assert!(matches!(open(&config).await, Err(OpenError::Foreign { .. })));
}

async fn a_database_that_lacks_a_table_is_refused(config: DatabaseConfig) {
    open(&config).await.unwrap();
    execute(&config, "DROP TABLE sample_tasks").await;
    let refused = open(&config).await.unwrap_err();
    assert!(refused.to_string().contains("sample_tasks"), "{refused}");
}

async fn together(url: String) {
    let config = DatabaseConfig::new(url);
    let opened = join_all((0..4).map(|_| open(&config))).await;
    assert!(opened.iter().all(Result::is_ok), "{opened:?}");
}
