//! How storage refuses.

use std::time::Duration;

use crate::entity::CorruptRow;

/// A read or a claim failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Too busy or out of reach just now.
    #[error("the store is unavailable: {reason}; try again in {retry_after:?}")]
    Unavailable {
        /// What went wrong.
        reason: String,
        /// When a new attempt makes sense.
        retry_after: Duration,
    },
    /// A cell holds, or was to be given, a value that its column must not hold.
    #[error("column {column} of {entity} holds a value it must not hold")]
    Corrupt {
        /// The table.
        entity: &'static str,
        /// The column.
        column: &'static str,
    },
    /// The store must not be used any more, such as after a failed fsync.
    #[error("the store failed: {reason}")]
    Fatal {
        /// What went wrong, and what to do about it.
        reason: String,
    },
    /// The cursor is damaged, or was made for another list or sort.
    #[error("the cursor does not belong to this list; start again without one")]
    BadCursor,
}

impl StorageError {
    /// [`Unavailable`](Self::Unavailable), worth another try after 50 ms.
    pub fn unavailable(reason: impl ToString) -> Self {
        Self::Unavailable { reason: reason.to_string(), retry_after: Duration::from_millis(50) }
    }

    /// [`Fatal`](Self::Fatal) for this reason.
    pub fn fatal(reason: impl ToString) -> Self {
        Self::Fatal { reason: reason.to_string() }
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

impl From<CorruptRow> for StorageError {
    fn from(row: CorruptRow) -> Self {
        Self::Corrupt { entity: row.entity, column: row.column }
    }
}

/// A set of changes was refused; none of it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Another record already has this value.
    #[error("{entity} with this {field} exists already")]
    Conflict {
        /// The table.
        entity: &'static str,
        /// The last column of the unique index, or `id`.
        field: &'static str,
    },
    /// A record that was read has changed since. Read again and decide again.
    #[error("{entity} changed since it was read")]
    Stale {
        /// The table.
        entity: &'static str,
    },
    /// A record that was to be deleted is still referred to.
    #[error("{count} {by} still refer to it")]
    Referenced {
        /// The table that refers.
        by: &'static str,
        /// How many of its rows do.
        count: u64,
    },
    /// A record refers to one that does not exist.
    #[error("the {field} of {entity} does not exist")]
    Missing {
        /// The table that refers.
        entity: &'static str,
        /// Its column.
        field: &'static str,
    },
    /// The changes carry no audit event.
    #[error("a change without an audit event")]
    Unaudited,
    /// The store could not try.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ApplyError {
    /// Whether reading again and deciding again may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Stale { .. } => true,
            Self::Storage(error) => error.is_retryable(),
            _ => false,
        }
    }
}

/// A lease could not be prolonged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Somebody else may have the row by now. Stop working on it.
    #[error("the lease is lost")]
    Lost,
    /// The store could not try; the lease still ends when it would have.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
