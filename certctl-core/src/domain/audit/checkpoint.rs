//! Signed statements of how far the chain had come.

use super::ChainHead;
use crate::domain::{AuditCheckpointId, Fingerprint, Timestamp};
use crate::entity;
use crate::entity::Index;

entity! {
    /// The engine's signature over the end of the chain at one moment. What stands behind it cannot be cut off, or written
    /// anew, unseen by whoever has the checkpoint.
    pub struct AuditCheckpoint in "audit_checkpoints" as AppendOnly, fields AuditCheckpointFields {
        /// Its id.
        id: AuditCheckpointId,
        /// Which store: the id that it was given when it was new.
        store: String,
        /// The number of the last row.
        seq: i64,
        /// Its hash.
        hash: Vec<u8>,
        /// When it was signed, by the store's clock.
        signed_at: Timestamp,
        /// SHA-256 of the public key, in lower-case hex.
        key_id: String,
        /// The public key: DER SubjectPublicKeyInfo of an Ed25519 key (RFC 8410).
        public_key: Vec<u8>,
        /// Ed25519 (RFC 8032) over [`message`](AuditCheckpoint::message).
        signature: Vec<u8>,
    }
    indexes [Index::unique("audit_checkpoints_seq", &["seq"])]
    references []
}

impl AuditCheckpoint {
    /// What is signed.
    pub fn message(store: &str, head: ChainHead, signed_at: Timestamp) -> Vec<u8> {
        let mut message = b"certctl audit checkpoint v1".to_vec();
        for part in [store.as_bytes(), &head.seq.to_be_bytes(), &head.hash, &signed_at.0.to_be_bytes()] {
            message.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            message.extend_from_slice(part);
        }
        message
    }

    /// The id of a public key.
    pub fn key_id_of(public_key: &[u8]) -> String {
        Fingerprint::of(public_key).to_string()
    }

    /// Where the chain stood; `None` when the hash is none.
    pub fn head(&self) -> Option<ChainHead> {
        Some(ChainHead { seq: self.seq, hash: self.hash.as_slice().try_into().ok()? })
    }
}
