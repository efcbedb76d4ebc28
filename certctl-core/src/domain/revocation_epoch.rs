//! Revocation epochs: how often what is revoked of an authority changed.
//!
//! A counter that each revocation raised would let only one of them commit at a time. So each adds a row instead, in its own
//! commit, and the epoch is what was counted before and the rows that are there. The loop that makes revocation lists counts
//! the rows that it has seen to, and takes them away.

use super::{KeyId, RevocationChangeId, RevocationReleaseId, Serial, Timestamp};
use crate::entity;
use crate::entity::Index;

entity! {
    /// That revocations of an authority changed: one row for a commit, and for each shard.
    pub struct RevocationChange in "revocation_changes" as Mutable, fields RevocationChangeFields {
        /// Its id; in the order of ids they were made, nearly.
        id: RevocationChangeId,
        /// The CA key.
        issuer_key_id: KeyId,
        /// The shard; [`Revocation::NO_SHARD`](super::Revocation::NO_SHARD) for none.
        crl_shard: i64,
        /// When it was made.
        created_at: Timestamp,
    }
    indexes []
    references []
}

entity! {
    /// How many changes of an authority were counted and taken away.
    pub struct RevocationEpoch in "revocation_epochs" as Mutable, fields RevocationEpochFields {
        /// The CA key.
        id: KeyId,
        /// How many.
        counted: i64,
    }
    indexes []
    references []
}

entity! {
    /// That a certificate was released from hold: what a list of changes tells whoever has an older list (RFC 5280 §5.3.1,
    /// removeFromCRL).
    pub struct RevocationRelease in "revocation_releases" as Mutable, fields RevocationReleaseFields {
        /// Its id.
        id: RevocationReleaseId,
        /// The CA key.
        issuer_key_id: KeyId,
        /// The serial number.
        serial_number: Serial,
        /// When.
        released_at: Timestamp,
        /// Last moment of validity of what was released.
        not_after: Timestamp,
    }
    indexes [
        Index::on("revocation_releases_of", &["issuer_key_id", "released_at", "id"]),
        Index::on("revocation_releases_by_time", &["released_at", "id"]),
    ]
    references []
}
