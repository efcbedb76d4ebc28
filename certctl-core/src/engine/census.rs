//! How many there are of what: counted by the store, and kept for a second where counting is slow.
//!
//! Counts over a million records take a store longer than a caller should wait, whatever the index. So a slow census is
//! kept, and while somebody goes on asking, a task takes the next one before the last is too old. Counters kept with
//! each commit would be exact, but every commit would then change the same rows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::{Engine, Inner, lock};
use crate::decide::status;
use crate::domain::Timestamp;
use crate::domain::{Agent, Certificate, CertificateStatus, Job, JobState, Lifecycle, Notification, NotificationState};
use crate::entity::Condition;
use crate::error::Error;
use crate::ports::{Clock, Monotonic};
use crate::storage::{Query, Snapshot, StorageError, View};

/// What there was at one moment, all counts of the same view of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    /// When it was taken, by the store's clock.
    pub taken_at: Timestamp,
    /// Certificates by status; every status is there.
    pub certificates: BTreeMap<CertificateStatus, u64>,
    /// Issued certificates that end within [`Census::SOON`] and have not ended.
    pub ending_soon: u64,
    /// Agents that are not retired. Those that only stand for discoveries are no agents here.
    pub agents: u64,
    /// Those of them that were heard of within [`Census::HEARD`].
    pub active_agents: u64,
    /// Jobs by state; every state is there.
    pub jobs: BTreeMap<JobState, u64>,
    /// Notifications that nobody tries any more.
    pub dead_notifications: u64,
}

impl Census {
    /// How near an end is that counts as soon.
    pub const SOON: Duration = Duration::from_secs(30 * 86_400);
    /// How long ago an active agent was heard of at most.
    pub const HEARD: Duration = Duration::from_secs(300);

    /// Certificates that are not archived.
    pub fn total_certificates(&self) -> u64 {
        self.certificates.iter().filter(|(status, _)| **status != CertificateStatus::Archived).map(|(_, n)| n).sum()
    }

    /// Certificates with this status.
    pub fn with_status(&self, status: CertificateStatus) -> u64 {
        self.certificates.get(&status).copied().unwrap_or(0)
    }

    /// Certificates that are not archived, revoked, at their end or near it: what the wire calls active in metrics.
    pub fn calm_certificates(&self) -> u64 {
        let (expired, revoked) = (CertificateStatus::Expired, CertificateStatus::Revoked);
        let others = self.ending_soon + self.with_status(expired) + self.with_status(revoked);
        self.total_certificates().saturating_sub(others)
    }

    /// Jobs in one of these states.
    pub fn jobs_in(&self, states: &[JobState]) -> u64 {
        states.iter().filter_map(|state| self.jobs.get(state)).sum()
    }

    /// Counts. Each count but those of the whole tables walks along an index, over what is out of the ordinary: nearly all
    /// certificates are active and nearly all jobs completed, so these two are what is left of the whole.
    async fn take(view: &dyn Snapshot) -> Result<Self, StorageError> {
        let now = view.now();
        let fields = Certificate::FIELDS;
        let mut certificates = BTreeMap::new();
        for status in CertificateStatus::ALL.iter().filter(|status| **status != CertificateStatus::Active) {
            let total = match status {
                CertificateStatus::Expiring => expiring(view, now).await?,
                _ => view.total(&all(status::filter(*status, now))).await?,
            };
            certificates.insert(*status, total);
        }
        let others: u64 = certificates.values().sum();
        let whole = view.total(&Query::<Certificate>::all()).await?;
        certificates.insert(CertificateStatus::Active, whole.saturating_sub(others));
        let after = Timestamp(now.0.saturating_add(1));
        let ending_soon = all(vec![
            fields.lifecycle.equals(Lifecycle::Issued),
            // Both, so that the index leads to the ends.
            fields.renewing.one_of([false, true]),
            fields.expires_at.at_least(after),
            fields.expires_at.below(after + Self::SOON),
        ]);
        let ending_soon = view.total(&ending_soon).await?;
        let fields = Agent::FIELDS;
        let agents = || all(vec![fields.retired_at.is_null(), fields.sentinel.equals(false)]);
        let heard = agents().filter(fields.last_heartbeat_at.at_least(now - Self::HEARD));
        let mut jobs = BTreeMap::new();
        for state in JobState::ALL.iter().filter(|state| **state != JobState::Completed) {
            jobs.insert(*state, view.total(&all(vec![Job::FIELDS.state.equals(*state)])).await?);
        }
        let others: u64 = jobs.values().sum();
        jobs.insert(JobState::Completed, view.total(&Query::<Job>::all()).await?.saturating_sub(others));
        let dead = all(vec![Notification::FIELDS.state.equals(NotificationState::Dead)]);
        Ok(Self {
            taken_at: now,
            certificates,
            ending_soon,
            agents: view.total(&agents()).await?,
            active_agents: view.total(&heard).await?,
            jobs,
            dead_notifications: view.total(&dead).await?,
        })
    }
}

/// Certificates near their end: those whose warning has begun without those that have ended. Asked for in one go, a database
/// may walk along the ends, past all that are active.
async fn expiring(view: &dyn Snapshot, now: Timestamp) -> Result<u64, StorageError> {
    let after = Timestamp(now.0.saturating_add(1));
    let fields = Certificate::FIELDS;
    let warned = warned_of(now);
    let ended = warned.clone().filter(fields.expires_at.below(after));
    Ok(view.total(&warned).await?.saturating_sub(view.total(&ended).await?))
}

/// Certificates whose warning has begun, also those that have ended since.
pub(super) fn warned_of(now: Timestamp) -> Query<Certificate> {
    let fields = Certificate::FIELDS;
    let after = Timestamp(now.0.saturating_add(1));
    all(vec![
        fields.lifecycle.equals(Lifecycle::Issued),
        fields.renewing.equals(false),
        fields.expiring_at.below(after),
    ])
}

fn all<E: crate::entity::Entity>(conditions: Vec<Condition<E>>) -> Query<E> {
    conditions.into_iter().fold(Query::all(), Query::filter)
}

/// The last census, where taking it was slow.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<(Monotonic, Arc<Census>)>,
    asked: Option<Monotonic>,
    refreshing: bool,
}

/// How long a census is kept.
const AGE: Duration = Duration::from_secs(1);
/// A census that takes less is taken whenever it is asked for.
const QUICK: Duration = Duration::from_millis(10);
/// How long nobody has to ask before no further one is taken.
const IDLE: Duration = Duration::from_secs(120);

impl Engine {
    /// How many there are of what. Exact where counting is quick, else at most a second old.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn census(&self) -> Result<Arc<Census>, Error> {
        let now = self.ports().clock.monotonic();
        let kept = {
            let mut state = lock(&self.0.census.0);
            state.asked = Some(now);
            state.last.as_ref().filter(|(at, _)| at.until(now) < AGE).map(|(_, census)| Arc::clone(census))
        };
        if let Some(census) = kept {
            return Ok(census);
        }
        let (census, took) = self.take_census().await?;
        if took >= QUICK && !std::mem::replace(&mut lock(&self.0.census.0).refreshing, true) {
            let clock = Arc::clone(&self.ports().clock);
            self.ports().spawner.spawn(Box::pin(refresh(Arc::downgrade(&self.0), clock, now, took)));
        }
        Ok(census)
    }

    async fn take_census(&self) -> Result<(Arc<Census>, Duration), Error> {
        let began = self.ports().clock.monotonic();
        let view = self.storage().read(View::PointInTime).await?;
        let census = Arc::new(Census::take(&*view).await?);
        drop(view);
        let took = began.until(self.ports().clock.monotonic());
        if took >= QUICK {
            lock(&self.0.census.0).last = Some((began, Arc::clone(&census)));
        }
        Ok((census, took))
    }
}

/// Takes one census after the other until nobody asks any more, or the engine is gone. Holds it only while counting.
async fn refresh(engine: Weak<Inner>, clock: Arc<dyn Clock>, mut began: Monotonic, mut took: Duration) {
    loop {
        // The next one is there before this one is too old, and counting never fills more than half of the time.
        let pause = AGE.saturating_sub(took + took / 2).max(took * 2);
        clock.sleep_until(began + pause).await;
        began = clock.monotonic();
        let Some(engine) = engine.upgrade().map(Engine) else { return };
        let idle = lock(&engine.0.census.0).asked.is_none_or(|asked| asked.until(began) >= IDLE);
        let census = if idle { None } else { engine.take_census().await.ok() };
        let Some((_, time)) = census.filter(|(_, time)| *time >= QUICK) else {
            lock(&engine.0.census.0).refreshing = false;
            return;
        };
        took = time;
    }
}

#[cfg(test)]
mod tests;
