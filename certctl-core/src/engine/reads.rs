//! Calls that read: noted here, and recorded in the audit trail many at a time.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::lock;
use crate::domain::{ActorType, Principal, Role};

/// Who read what, and how often, since the last time that it was recorded.
#[derive(Debug, Default)]
pub(crate) struct Reads(Mutex<BTreeMap<Reader, BTreeMap<Read, u64>>>);

/// Who.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reader {
    /// The id of a key, or what an embedder gave.
    pub(crate) id: String,
    /// Of this kind.
    pub(crate) actor_type: ActorType,
}

/// What: the operation, and the record it was about.
pub(crate) type Read = (&'static str, Option<String>);

/// Different reads of one reader that are told apart; those after them are counted by operation alone.
const APART: usize = 1_000;

impl Reads {
    /// Notes a call. The polls of agents and machines leave no trace (requirements D3), nor does what the engine asks itself.
    pub(super) fn note(&self, principal: &Principal, operation: &'static str, subject: Option<String>) {
        if principal.role == Role::Agent || matches!(principal.actor_type, ActorType::Machine | ActorType::System) {
            return;
        }
        let reader = Reader { id: principal.id.clone(), actor_type: principal.actor_type };
        let mut noted = lock(&self.0);
        let reads = noted.entry(reader).or_default();
        let subject = subject.filter(|_| reads.len() < APART);
        *reads.entry((operation, subject)).or_default() += 1;
    }

    /// Takes what was noted.
    pub(crate) fn take(&self) -> BTreeMap<Reader, BTreeMap<Read, u64>> {
        std::mem::take(&mut lock(&self.0))
    }

    /// Puts back what could not be recorded.
    pub(crate) fn put_back(&self, taken: BTreeMap<Reader, BTreeMap<Read, u64>>) {
        let mut noted = lock(&self.0);
        for (reader, reads) in taken {
            let before = noted.entry(reader).or_default();
            for (read, count) in reads {
                *before.entry(read).or_default() += count;
            }
        }
    }

    /// Whether nothing is noted.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }
}
