//! Makes revocation lists: of authorities that have none, whose half life is over, and of whose certificates some were revoked.
//!
//! Revocations that come close together are in one list: it waits a second after the first of them, longer where a list takes
//! long to make. A change that was seen to is counted into the epoch of its authority, and its row taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::{Crl, CrlScope, KeyId, RevocationChange, RevocationEpoch, RevocationRelease, Timestamp};
use crate::engine::{CrlAuthority, CrlDirectory, Engine};
use crate::entity::Record;
use crate::error::Error;
use crate::revocation::crl;
use crate::storage::{ApplyError, Changes, Query, View};

/// The shortest and the longest wait after a revocation.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(20));
/// It waits so many times as long as the last list took: the rest of the time is for others.
const SHARE: u32 = 5;
/// How long changes of authorities wait that nobody here makes lists of: they are only counted.
const FOREIGN: Duration = Duration::from_secs(60);
/// Rows of one page, and of one commit.
const PAGE: usize = 500;
/// Releases are told of for as long as somebody may go on from a list in which they were not yet.
const RELEASES: Duration = Duration::from_secs(3 * 24 * 3_600);

/// Makes what is due; gives how many lists that was.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    let survey = Survey::take(engine).await?;
    let mut made = 0;
    for authority in &survey.directory.authorities {
        if !survey.makes(authority) {
            continue;
        }
        let due = survey.due(authority);
        let scopes: BTreeSet<CrlScope> =
            due.scopes.into_iter().filter(|(_, at)| *at <= survey.now).map(|(scope, _)| scope).collect();
        if scopes.is_empty() {
            continue;
        }
        let count_of = scopes.iter().filter(|scope| **scope != CrlScope::Delta).count();
        let made_now = crl::make(engine, authority, &scopes).await?;
        made += made_now;
        // A list that somebody else published at the same moment may not hold what the changes tell of.
        if made_now == count_of && due.changes_at.is_some_and(|at| at <= survey.now) {
            let changes = survey.changes.get(&authority.status.key_id).map(Vec::as_slice).unwrap_or_default();
            count(engine, &authority.status.key_id, changes).await?;
        }
    }
    for (key, changes) in &survey.changes {
        if !survey.is_known(key) && changes.first().is_some_and(|first| first.created_at + FOREIGN <= survey.now) {
            count(engine, key, changes).await?;
        }
    }
    forget_releases(engine, survey.now).await?;
    Ok(made)
}

/// How long until the first list is to be made.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    let survey = Survey::take(engine).await?;
    let makes = survey.directory.authorities.iter().filter(|authority| survey.makes(authority));
    let lists = makes.filter_map(|authority| survey.due(authority).scopes.into_values().min());
    let foreign = survey.changes.iter().filter(|(key, _)| !survey.is_known(key));
    let foreign = foreign.filter_map(|(_, changes)| changes.first()).map(|first| first.created_at + FOREIGN);
    Ok(lists.chain(foreign).min().map(|at| at.since(survey.now)))
}

/// How things stand.
struct Survey {
    now: Timestamp,
    directory: std::sync::Arc<CrlDirectory>,
    /// By authority, nearly in the order in which they were made.
    changes: BTreeMap<KeyId, Vec<Record<RevocationChange>>>,
}

/// When the lists of an authority are to be made.
struct Due {
    scopes: BTreeMap<CrlScope, Timestamp>,
    /// When its changes are to be seen to; absent where there are none.
    changes_at: Option<Timestamp>,
}

impl Survey {
    /// Changes are read first: a list that is read afterwards holds what they tell of.
    async fn take(engine: &Engine) -> Result<Self, Error> {
        let view = engine.storage().read(View::Latest).await?;
        let mut changes: BTreeMap<KeyId, Vec<_>> = BTreeMap::new();
        for change in view.all(Query::<RevocationChange>::all()).await? {
            changes.entry(change.issuer_key_id.clone()).or_default().push(change);
        }
        let now = view.now();
        drop(view);
        Ok(Self { now, directory: engine.crl_directory().await?, changes })
    }

    /// Whether lists of it are made: nobody believes an authority that has ended.
    fn makes(&self, authority: &CrlAuthority) -> bool {
        authority.signs && self.now <= authority.not_after
    }

    fn is_known(&self, key: &KeyId) -> bool {
        self.directory.authorities.iter().any(|known| known.status.key_id == *key && self.makes(known))
    }

    fn due(&self, authority: &CrlAuthority) -> Due {
        let key = &authority.status.key_id;
        let published = authority.scopes(&self.directory);
        let list = |scope| self.directory.list(key, scope);
        // A list that nobody has tried to make yet is due now.
        let at = |scope| list(scope).map_or(self.now, |list: &Crl| list.due_at);
        let mut scopes: BTreeMap<CrlScope, Timestamp> =
            published.iter().filter(|scope| **scope != CrlScope::Delta).map(|scope| (*scope, at(*scope))).collect();
        if published.contains(&CrlScope::Delta) && list(CrlScope::Delta).is_none() {
            // The first list of changes is made with the next complete one, which is not waited for.
            let complete = scopes.entry(CrlScope::Complete).or_insert(self.now);
            let failed = list(CrlScope::Complete).is_some_and(|list| list.failures > 0);
            *complete = if failed { *complete } else { self.now };
        }
        let changes = self.changes.get(key).map(Vec::as_slice).unwrap_or_default();
        let Some(first) = changes.iter().map(|change| change.created_at).min() else {
            return Due { scopes, changes_at: None };
        };
        let shards = changes.iter().filter_map(|change| u16::try_from(change.crl_shard).ok()).map(CrlScope::Shard);
        let affected: BTreeSet<CrlScope> =
            shards.filter(|shard| published.contains(shard)).chain([CrlScope::Complete]).collect();
        // All at once, and not before what failed is tried again.
        let took = affected.iter().filter_map(|scope| list(*scope)).map(|list| list.took_ms).max().unwrap_or(0);
        let wait = Duration::from_millis(u64::try_from(took).unwrap_or(0)) * SHARE;
        let failed = affected.iter().filter_map(|scope| list(*scope)).filter(|list| list.failures > 0);
        let changes_at = failed.map(|list| list.due_at).chain([first + wait.clamp(WAIT.0, WAIT.1)]).max();
        for scope in affected {
            let planned = scopes.entry(scope).or_insert(Timestamp::NEVER);
            *planned = changes_at.into_iter().chain([*planned]).min().unwrap_or(*planned);
        }
        Due { scopes, changes_at }
    }
}

/// Counts changes that were seen to, and takes them away.
async fn count(engine: &Engine, key: &KeyId, changes: &[Record<RevocationChange>]) -> Result<(), Error> {
    for batch in changes.chunks(PAGE) {
        let view = engine.storage().read(View::Latest).await?;
        let epoch = view.get::<RevocationEpoch>(key.as_str()).await?;
        drop(view);
        let counted = i64::try_from(batch.len()).unwrap_or(0);
        // Bookkeeping: each change left its own audit event.
        let mut commit = Changes::bookkeeping();
        match epoch {
            Some(mut epoch) => {
                epoch.counted = epoch.counted.saturating_add(counted);
                commit.update(epoch);
            }
            None => commit.insert(RevocationEpoch { id: key.clone(), counted }),
        }
        for change in batch {
            commit.delete(change);
        }
        match engine.storage().apply(commit).await {
            Ok(_) => {}
            // Somebody else counts them.
            Err(ApplyError::Stale { .. } | ApplyError::Conflict { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Takes away releases that nobody has to be told of any more.
async fn forget_releases(engine: &Engine, now: Timestamp) -> Result<(), Error> {
    let fields = RevocationRelease::FIELDS;
    let old = Timestamp(now.0.saturating_sub(i64::try_from(RELEASES.as_micros()).unwrap_or(0)));
    let query = Query::sorted(fields.released_at.ascending()).filter(fields.released_at.below(old)).limit(PAGE);
    let found = engine.storage().read(View::Latest).await?.list(query).await?.records;
    if found.is_empty() {
        return Ok(());
    }
    let mut changes = Changes::bookkeeping();
    for release in &found {
        changes.delete(release);
    }
    match engine.storage().apply(changes).await {
        Ok(_) | Err(ApplyError::Stale { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
