//! Revocation epochs: by which caches learn that what they know of an authority's revocations may be old.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::{Engine, lock};
use crate::domain::{KeyId, RevocationChange, RevocationEpoch};
use crate::error::Error;
use crate::ports::Monotonic;
use crate::storage::{Committed, Query, Reads, View};

/// What this process knows of the epochs.
#[derive(Debug, Default)]
pub(crate) struct Epochs(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Raised by whatever may have changed them.
    news: u64,
    /// What it was when they were last read, and when that was.
    read: Option<(u64, Monotonic)>,
    epochs: BTreeMap<KeyId, Epoch>,
    /// The last number that was given.
    last: u64,
}

#[derive(Clone, Copy, Debug)]
struct Epoch {
    /// Changes that the store counts.
    changes: i64,
    /// A number that this process gave to no other state.
    number: u64,
}

/// How old they may be. What this process commits is known at once, and what others do by their hint.
const AGE: Duration = Duration::from_millis(500);
/// Rows of one page.
const PAGE: usize = 1_000;

impl Epochs {
    pub(super) fn committed(&self, committed: &Committed) {
        if committed.touches::<RevocationChange>() || committed.touches::<RevocationEpoch>() {
            self.hear();
        }
    }

    /// They may have changed.
    pub(super) fn hear(&self) {
        lock(&self.0).news += 1;
    }

    fn news(&self) -> u64 {
        lock(&self.0).news
    }

    fn known(&self, authority: &KeyId, now: Monotonic) -> Option<u64> {
        let known = lock(&self.0);
        let (news, at) = known.read?;
        let fresh = news == known.news && at.until(now) < AGE;
        fresh.then(|| known.number(authority))
    }

    fn learn(&self, (news, at): (u64, Monotonic), changes: &BTreeMap<KeyId, i64>, authority: &KeyId) -> u64 {
        let mut known = lock(&self.0);
        // Of two that read at once, whoever heard of less does not undo what the other has learned.
        if known.read.is_none_or(|read| read <= (news, at)) {
            known.read = Some((news, at));
            for (authority, changes) in changes {
                if known.epochs.get(authority).is_none_or(|epoch| epoch.changes != *changes) {
                    known.last += 1;
                    let epoch = Epoch { changes: *changes, number: known.last };
                    known.epochs.insert(authority.clone(), epoch);
                }
            }
        }
        known.number(authority)
    }
}

impl Known {
    fn number(&self, authority: &KeyId) -> u64 {
        self.epochs.get(authority).map_or(0, |epoch| epoch.number)
    }
}

impl Engine {
    /// A number that stays the same while nothing that is revoked of an authority changes. It changes with each revocation, hold
    /// and release, whichever process commits it: here at once, elsewhere within half a second. What was made of a revocation
    /// state that was read after asking for this number may be used for as long as the number is the same. It means nothing to
    /// another process.
    ///
    /// Asks the store at most twice a second, however often it is called, besides once for each change.
    ///
    /// # Errors
    /// The store's.
    pub async fn revocation_epoch(&self, authority: &KeyId) -> Result<u64, Error> {
        let (epochs, now) = (&self.0.epochs, self.ports().clock.monotonic());
        if let Some(number) = epochs.known(authority, now) {
            return Ok(number);
        }
        let news = epochs.news();
        let changes = self.count_revocation_changes().await?;
        Ok(epochs.learn((news, now), &changes, authority))
    }

    /// What was counted of each authority, and the rows that are there.
    async fn count_revocation_changes(&self) -> Result<BTreeMap<KeyId, i64>, Error> {
        let view = self.storage().read(View::Latest).await?;
        let changes = || Query::<RevocationChange>::all().limit(PAGE);
        // In one trip: a row that is counted and taken away meanwhile is in one of them.
        let mut reads = Reads::default();
        let counted = reads.list(Query::<RevocationEpoch>::all().limit(PAGE))?;
        let first = reads.list(changes())?;
        let mut found = view.read(reads).await?;
        let mut count = BTreeMap::new();
        for epoch in found.all(&counted)? {
            count.insert(epoch.id.clone(), epoch.counted);
        }
        let mut rows = found.all(&first)?;
        if rows.len() == PAGE {
            // So many are there only until a loop has taken them away.
            rows.clear();
            let mut after = None;
            loop {
                let page = view.list(changes().after(after)).await?;
                rows.extend(page.records);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        for change in &rows {
            *count.entry(change.issuer_key_id.clone()).or_insert(0) += 1;
        }
        Ok(count)
    }
}
