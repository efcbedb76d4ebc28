//! How a simulation ended.

use std::collections::BTreeMap;
use std::time::Duration;

/// A simulation that held: the same for the same configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimReport {
    /// The seed.
    pub seed: u64,
    /// SHA-256 of the event log, in lower-case hex.
    pub digest: String,
    /// Lines of the event log.
    pub events: u64,
    /// How often a task was polled.
    pub polls: u64,
    /// How much time passed in the simulated world.
    pub simulated: Duration,
    /// Versions that were issued.
    pub versions: u64,
    /// Versions that were issued on each day of the simulated world, the first being the first.
    pub issued_on: Vec<u64>,
    /// Deployments that went well.
    pub deployments: u64,
    /// How many times a host began to serve something else.
    pub switches: u64,
    /// Notices that were delivered.
    pub notices: u64,
    /// Attempts at jobs that failed and were to be repeated.
    pub failed_attempts: u64,
    /// Jobs that used up their attempts.
    pub exhausted_jobs: u64,
    /// Crashes of engines and agents.
    pub crashes: u64,
    /// How often each kind of thing was done, by the name of its audit event.
    pub actions: BTreeMap<String, u64>,
    /// The whole event log, if it was asked for.
    pub log: Option<String>,
}

/// A promise that was broken, what led to it, and the seed that shows it again.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed} broke after {simulated:?}: {what}")]
pub struct SimFailure {
    /// The seed.
    pub seed: u64,
    /// Which promise.
    pub what: String,
    /// How long the simulated world had run.
    pub simulated: Duration,
    /// The last lines of the event log.
    pub tail: Vec<String>,
    /// The whole event log, if it was asked for.
    pub log: Option<String>,
}

impl std::fmt::Debug for SimFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{self}")?;
        for line in self.tail.iter().rev().take(15).rev() {
            writeln!(f, "  {}", line.chars().take(700).collect::<String>())?;
        }
        Ok(())
    }
}
