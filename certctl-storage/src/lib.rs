//! certctl's storage contract over SQLite and PostgreSQL.
//!
//! One generic implementation per database serves every entity, from the description that
//! [`certctl_core::entity!`] gives. SQLite has one writer that commits in batches and a pool of readers; PostgreSQL
//! gets one statement per set of changes. What differs in text between the two is in `dialect.rs` alone.

mod config;
mod dialect;
mod error;
mod explain;
mod migrations;
mod octets;
mod postgres;
mod read;
mod rows;
mod schema;
mod sqlite;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use config::DatabaseConfig;
pub use error::OpenError;
pub use migrations::{MigrationStatus, migrate, migrate_down, migration_status, schema_snapshot};
pub use store::{SeaStorage, read_only};
