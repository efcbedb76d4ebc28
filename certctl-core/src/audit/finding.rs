//! What a verification finds.

use crate::domain::Timestamp;
use crate::text_enum;

text_enum! {
    /// What is wrong with a place of the trail.
    pub enum FindingKind {
        /// A checkpoint is not signed by its key.
        BadSignature = "bad_signature",
        /// A row does not follow the one before it: one of the two, or their order, was changed.
        BrokenLink = "broken_link",
        /// A checkpoint names a row behind the end: the tail was cut off.
        Cut = "cut",
        /// Rows that are out of order.
        Disordered = "disordered",
        /// A second row with the same number.
        Duplicate = "duplicate",
        /// A row is not what it was when it was written.
        Edited = "edited",
        /// A checkpoint was signed over another row with this number: the trail was written anew from some place before it.
        Forked = "forked",
        /// Rows that are not there.
        Missing = "missing",
        /// A checkpoint of a key that is not the trusted one, or of another store.
        Stranger = "stranger",
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub kind: FindingKind,
    /// At which number; absent for a row that has none yet.
    pub seq: Option<i64>,
    /// Which row, where there is one.
    pub id: Option<String>,
    /// What it means, for people.
    pub message: String,
}

/// The outcome of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// How many rows have a place in the chain.
    pub sealed: u64,
    /// How many have none yet: only their own digest vouches for them.
    pub unsealed: u64,
    /// The first of those, at most [`Self::MOST`].
    pub unsealed_ids: Vec<String>,
    /// How many checkpoints were compared.
    pub checkpoints: u64,
    /// The number of the last row; 0 when there is none.
    pub last_seq: i64,
    /// Its hash, in lower-case hex.
    pub last_hash: String,
    /// The last row that a checkpoint vouches for, and when it was signed.
    pub vouched: Option<(i64, Timestamp)>,
    /// The ids of the keys that signed checkpoints.
    pub key_ids: Vec<String>,
    /// What is wrong, in the order in which it was found, at most [`Self::MOST`].
    pub findings: Vec<Finding>,
    /// How many findings there are in all.
    pub found: u64,
}

impl Verification {
    /// So many findings and unsealed rows are named at most; more are counted.
    pub const MOST: usize = 100;

    /// Whether nothing is wrong. Unsealed rows are no fault.
    pub fn is_clean(&self) -> bool {
        self.found == 0
    }
}
