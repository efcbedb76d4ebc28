//! Sealing: giving audit rows their places in the chain.

use crate::domain::ChainHead;
use crate::entity::Schema;

/// A request to seal what has been committed since the last time.
///
/// The table has the columns `digest` (bytes), `seq` (integer) and `hash` (nullable bytes), and an index on `seq`, `id`. Rows
/// that are found together are sealed in the order of their ids, which is that of their time.
#[derive(Clone, Copy, Debug)]
pub struct SealAudit {
    /// The table of the audit trail.
    pub events: &'static Schema,
    /// Rows at most.
    pub limit: u32,
}

/// The answer to a [`SealAudit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedAudit {
    /// How many rows were sealed.
    pub rows: u64,
    /// Where the chain ends now; `None` when somebody else was sealing at this moment, so that nothing was done.
    pub head: Option<ChainHead>,
}

impl SealAudit {
    /// The column of the row's own digest.
    pub const DIGEST: &'static str = "digest";
    /// The column of the number; [`UNSEALED`](crate::domain::UNSEALED) until there is one.
    pub const SEQ: &'static str = "seq";
    /// The column of the hash.
    pub const HASH: &'static str = "hash";
}
