//! Looking out for agents whose requests are held until there is work: one question for all of them, however many wait.
//!
//! A commit of this process wakes its agent itself. What is left are retries, which come due without a commit, and commits of
//! other processes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use super::{Engine, lock};
use crate::domain::{AgentId, Job, JobState, Timestamp};
use crate::error::Error;
use crate::ports::Monotonic;
use crate::signal::Signal;
use crate::storage::{Query, View};

/// Agents that one question is about; databases limit how many values it may name.
const TOGETHER: usize = 1_000;

/// The agents that wait, and what is known of the last look.
#[derive(Default)]
pub(super) struct Lookout(Mutex<State>);

#[derive(Default)]
struct State {
    signals: BTreeMap<AgentId, Signal>,
    looked_at: Option<Monotonic>,
    /// Another process may have committed since.
    news: bool,
}

impl Lookout {
    /// What wakes an agent.
    pub(super) fn signal(&self, agent: &AgentId) -> Signal {
        lock(&self.0).signals.entry(agent.clone()).or_default().clone()
    }

    /// Wakes an agent, if it waits.
    pub(super) fn wake(&self, agent: &AgentId) {
        let signal = lock(&self.0).signals.get(agent).cloned();
        if let Some(signal) = signal {
            signal.notify();
        }
    }

    /// Another process may have committed.
    pub(super) fn hear(&self) {
        lock(&self.0).news = true;
    }

    /// How long until a look is worth it: a whole period, or a quarter of it when there is news.
    fn due_in(&self, now: Monotonic, period: Duration) -> Duration {
        let state = lock(&self.0);
        let pause = if state.news { period / 4 } else { period };
        state.looked_at.map_or(Duration::ZERO, |looked_at| pause.saturating_sub(looked_at.until(now)))
    }

    /// The agents that wait, when it is time to look. Those that went away are forgotten.
    fn begin(&self, now: Monotonic, period: Duration) -> Vec<AgentId> {
        if self.due_in(now, period) > Duration::ZERO {
            return Vec::new();
        }
        let mut state = lock(&self.0);
        (state.looked_at, state.news) = (Some(now), false);
        state.signals.retain(|_, signal| signal.is_shared());
        state.signals.keys().cloned().collect()
    }
}

impl Engine {
    /// Wakes those agents among the waiting that have work.
    pub(super) async fn look_out(&self) -> Result<usize, Error> {
        let waiting = self.0.lookout.begin(self.ports().clock.monotonic(), self.cadence().poll);
        if waiting.is_empty() {
            return Ok(0);
        }
        let view = self.storage().read(View::Latest).await?;
        let mut woken = 0;
        for agents in waiting.chunks(TOGETHER) {
            let mut found = BTreeSet::new();
            for query in [claimable(agents, view.now()), awaited(agents)] {
                let page = view.list(query.limit(TOGETHER)).await?;
                found.extend(page.records.iter().filter_map(|job| job.agent_id.clone()));
            }
            for agent in &found {
                self.0.lookout.wake(agent);
            }
            woken += found.len();
        }
        Ok(woken)
    }

    /// How long until it is worth looking again, when anybody waits.
    pub(super) fn next_look(&self) -> Option<Duration> {
        let waits = |state: &State| state.signals.values().any(Signal::is_shared);
        let wanted = waits(&lock(&self.0.lookout.0));
        wanted.then(|| self.0.lookout.due_in(self.ports().clock.monotonic(), self.cadence().poll))
    }
}

/// Deployments that may be taken up now.
fn claimable(agents: &[AgentId], now: Timestamp) -> Query<Job> {
    let fields = Job::FIELDS;
    Query::all()
        .filter(fields.agent_id.one_of(agents.iter().cloned().map(Some)))
        .filter(fields.state.one_of([JobState::Pending, JobState::Running, JobState::Failed]))
        .filter(fields.due_at.below(Timestamp(now.0.saturating_add(1))))
}

/// Jobs that wait for a request.
fn awaited(agents: &[AgentId]) -> Query<Job> {
    let fields = Job::FIELDS;
    Query::all()
        .filter(fields.agent_id.one_of(agents.iter().cloned().map(Some)))
        .filter(fields.state.equals(JobState::AwaitingCsr))
}
