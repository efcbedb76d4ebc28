//! The loops that one engine at a time runs: who runs each, and how it went.

use super::{LoopId, Timestamp};
use crate::{entity, text_enum};

text_enum! {
    /// Who runs a loop.
    pub enum LoopScope {
        /// Every engine: what it works off is claimed piece by piece, or is the engine's own.
        Each = "each",
        /// One engine at a time, which holds the loop's lease.
        One = "one",
    }
}

entity! {
    /// A loop that one engine at a time runs. Its row is its lease.
    pub struct LoopState in "loop_states" as Mutable, fields LoopStateFields {
        /// The loop's name.
        id: LoopId,
        /// The engine that runs it.
        holder: Option<String>,
        /// Until when nobody else may begin it.
        leased_until: Timestamp,
        /// When the last run began.
        started_at: Option<Timestamp>,
        /// When the last run ended; before its beginning while one is under way.
        ended_at: Option<Timestamp>,
        /// Why the last run failed.
        last_error: Option<String>,
        /// What the last run did, in pieces of work.
        last_count: i64,
        /// Runs that were begun.
        runs: i64,
    }
    indexes []
    references []
}
