//! Why a database was not opened.

use std::path::PathBuf;

/// A database could not be opened, or must not be used as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL names no database that is known here.
    #[error("cannot use the database URL `{url}`: {reason}; use sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE")]
    UnusableUrl {
        /// The URL without a password.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Another process has the SQLite file.
    #[error(
        "the database file {} is in use by another certctl process; stop that one, or give each its own file \
         (several servers on one database need PostgreSQL)", path.display()
    )]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The file could not be opened or locked.
    #[error("cannot open the database file {}: {reason}", path.display())]
    File {
        /// The database file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The server could not be reached, or refused.
    #[error("cannot connect to {url}: {reason}; check that the server runs there and lets this user in")]
    Connect {
        /// The URL without a password.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The tables are older than this program.
    #[error("the database lacks {} migration(s) ({}); back it up and run `certctl migrate`", pending.len(), pending.join(", "))]
    NotMigrated {
        /// The migrations that have not run.
        pending: Vec<String>,
    },
    /// The tables were made by a newer program.
    #[error(
        "the database has migrations that this version does not know ({}); use the version that ran them, or go back \
         with that version's `certctl migrate`", unknown.join(", ")
    )]
    Newer {
        /// The migrations that are not known here.
        unknown: Vec<String>,
    },
    /// The tables are not those of any version.
    #[error(
        "the database is not certctl's, or was migrated only in part: {reason}; use an empty database, or restore a \
         backup and run `certctl migrate`"
    )]
    Foreign {
        /// What is there or missing.
        reason: String,
    },
    /// A migration failed; nothing of it was kept.
    #[error("a migration failed and was rolled back: {reason}")]
    Migration {
        /// What the database said.
        reason: String,
    },
}
