//! Calls that a client may repeat without doing twice what they do.

use super::{IdempotentCallId, Timestamp};
use crate::entity;
use crate::entity::Index;

entity! {
    /// A call that its sender named with an `Idempotency-Key`, and what it was answered.
    pub struct IdempotentCall in "idempotent_calls" as Mutable, fields IdempotentCallFields {
        /// SHA-256 over who asked, for what route, under what key, in lower-case hex.
        id: IdempotentCallId,
        /// SHA-256 of the request, in lower-case hex: the same key must come with the same request.
        request_hash: String,
        /// Counts how often it was begun. Who was overtaken commits nothing more.
        attempt: i64,
        /// When what it does was committed: written by that very commit.
        committed_at: Option<Timestamp>,
        /// What was answered, sealed, because some answers show a secret once; absent while the call runs.
        answer: Option<Vec<u8>>,
        /// When it began.
        created_at: Timestamp,
        /// Until when it counts as running when it has no answer.
        running_until: Timestamp,
        /// When it is forgotten.
        expires_at: Timestamp,
    }
    indexes [Index::on("idempotent_calls_by_end", &["expires_at", "id"])]
    references []
}

/// A named call that a principal makes: its record commits with what it does, or what it does does not commit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "say what it was answered, or nobody can make it for a while"]
pub struct FirstCall {
    /// Which call.
    pub(crate) id: IdempotentCallId,
    /// The attempt at it.
    pub(crate) attempt: i64,
}
