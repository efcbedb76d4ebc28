//! Verification, one row after the other.

use std::collections::BTreeMap;

use super::finding::{Finding, FindingKind, Verification};
use super::seen::SeenRow;
use crate::domain::audit::{AuditCheckpoint, ChainHead, UNSEALED, link};
use crate::domain::{SignatureAlgorithm, Timestamp};
use crate::pki::verify;

/// Which checkpoints count.
#[derive(Clone, Debug, Default)]
struct Trust {
    key_id: Option<String>,
    store: Option<String>,
}

/// Verifies rows as they come, in the order of their numbers, unsealed ones last. Keeps the last hash, the checkpoints that
/// are still to come, and the first findings.
#[derive(Debug)]
pub struct Verifier {
    trust: Trust,
    /// The number and hash of the last row, as it says.
    seq: i64,
    hash: Vec<u8>,
    /// Checkpoints behind the last row, by number and hash.
    ahead: BTreeMap<(i64, [u8; 32]), Timestamp>,
    outcome: Verification,
}

impl Default for Verifier {
    fn default() -> Self {
        let ChainHead { seq, hash } = ChainHead::GENESIS;
        let (trust, ahead, outcome) = (Trust::default(), BTreeMap::new(), Verification::default());
        Self { trust, seq, hash: hash.to_vec(), ahead, outcome }
    }
}

impl Verifier {
    /// Counts checkpoints of this key alone. Without it, whatever key a checkpoint carries is believed, and
    /// [`Verification::key_ids`] is to be compared with what is known.
    #[must_use = "this makes a new value"]
    pub fn trusting(mut self, key_id: impl Into<String>) -> Self {
        self.trust.key_id = Some(key_id.into());
        self
    }

    /// Counts checkpoints of this store alone; without it those of the first checkpoint's.
    #[must_use = "this makes a new value"]
    pub fn of_store(mut self, store: impl Into<String>) -> Self {
        self.trust.store = Some(store.into());
        self
    }

    /// Takes a checkpoint. It is compared when its row has come, so it must not come after the row behind.
    pub fn checkpoint(&mut self, checkpoint: &AuditCheckpoint) {
        self.outcome.checkpoints += 1;
        let seq = checkpoint.seq;
        let Some(head) = checkpoint.head().filter(|head| is_signed(checkpoint, *head)) else {
            return self.find(FindingKind::BadSignature, Some(seq), None, "a checkpoint is not signed by its key");
        };
        if !self.trust.admits(checkpoint) {
            let message = format!("a checkpoint of key {} and store {}", checkpoint.key_id, checkpoint.store);
            return self.find(FindingKind::Stranger, Some(seq), None, message);
        }
        if !self.outcome.key_ids.contains(&checkpoint.key_id) && self.outcome.key_ids.len() < Verification::MOST {
            self.outcome.key_ids.push(checkpoint.key_id.clone());
        }
        if seq < self.seq {
            let message = "a checkpoint came after the rows behind it and cannot be compared";
            return self.find(FindingKind::Disordered, Some(seq), None, message);
        }
        self.ahead.insert((seq, head.hash), checkpoint.signed_at);
        self.compare();
    }

    /// Takes a row.
    pub fn row(&mut self, row: &SeenRow<'_>) {
        if row.content != *row.digest {
            let message = "its cells are not those that were written";
            self.find(FindingKind::Edited, (row.seq != UNSEALED).then_some(row.seq), Some(row.id), message);
        }
        if row.seq == UNSEALED {
            self.outcome.unsealed += 1;
            if self.outcome.unsealed_ids.len() < Verification::MOST {
                self.outcome.unsealed_ids.push(row.id.to_owned());
            }
            return;
        }
        self.outcome.sealed += 1;
        if row.seq <= self.seq {
            let (kind, message) = if row.seq == self.seq {
                (FindingKind::Duplicate, "a second row with this number")
            } else {
                (FindingKind::Disordered, "a row after those behind it")
            };
            return self.find(kind, Some(row.seq), Some(row.id), message);
        }
        if row.seq > self.seq + 1 {
            let message = format!("rows {} to {} are missing", self.seq + 1, row.seq - 1);
            self.find(FindingKind::Missing, Some(self.seq + 1), None, message);
            // What was signed over them is no finding of its own.
            self.ahead.retain(|(seq, _), _| *seq >= row.seq);
        } else if link(&self.hash, row.seq, row.digest) != *row.hash {
            let message = "it does not follow the row before it: one of them, or their order, was changed";
            self.find(FindingKind::BrokenLink, Some(row.seq), Some(row.id), message);
        }
        self.seq = row.seq;
        row.hash.clone_into(&mut self.hash);
        self.compare();
    }

    /// Whoever wrote the rows down says that the last one has this number.
    pub fn ends_at(&mut self, seq: i64) {
        if seq > self.seq {
            let message = format!("the last row was number {seq}, and the trail ends at {}", self.seq);
            self.find(FindingKind::Cut, Some(self.seq + 1), None, message);
        }
    }

    /// All rows and checkpoints have come.
    pub fn finish(mut self) -> Verification {
        if let Some(((seq, _), signed_at)) = self.ahead.last_key_value() {
            let (seq, end) = (*seq, self.seq);
            let message = format!("a checkpoint of {signed_at} was signed over row {seq}, and the trail ends at {end}");
            self.find(FindingKind::Cut, Some(end + 1), None, message);
        }
        self.outcome.last_seq = self.seq;
        self.outcome.last_hash = hex::encode(&self.hash);
        self.outcome
    }

    /// Compares the checkpoints of the last row with it.
    fn compare(&mut self) {
        while let Some(entry) = self.ahead.first_entry() {
            let (seq, hash) = *entry.key();
            if seq > self.seq {
                return;
            }
            let signed_at = entry.remove();
            if hash == *self.hash {
                self.outcome.vouched = Some((seq, signed_at));
            } else {
                let message = format!("a checkpoint of {signed_at} was signed over another row with this number");
                self.find(FindingKind::Forked, Some(seq), None, message);
            }
        }
    }

    fn find(&mut self, kind: FindingKind, seq: Option<i64>, id: Option<&str>, message: impl Into<String>) {
        self.outcome.found += 1;
        if self.outcome.findings.len() < Verification::MOST {
            let (id, message) = (id.map(str::to_owned), message.into());
            self.outcome.findings.push(Finding { kind, seq, id, message });
        }
    }
}

impl Trust {
    fn admits(&mut self, checkpoint: &AuditCheckpoint) -> bool {
        let store = self.store.get_or_insert_with(|| checkpoint.store.clone());
        *store == checkpoint.store && self.key_id.as_ref().is_none_or(|key_id| *key_id == checkpoint.key_id)
    }
}

fn is_signed(checkpoint: &AuditCheckpoint, head: ChainHead) -> bool {
    let AuditCheckpoint { store, signed_at, key_id, public_key, signature, .. } = checkpoint;
    let message = AuditCheckpoint::message(store, head, *signed_at);
    *key_id == AuditCheckpoint::key_id_of(public_key)
        && verify::signature(public_key, SignatureAlgorithm::Ed25519, &message, signature)
}

#[cfg(test)]
mod tests;
