//! Jobs: how they are opened, worked off, and ended.

pub(crate) mod compromised;
pub(crate) mod deploy;
pub(crate) mod descent;
pub(crate) mod failed;
pub(crate) mod health;
pub(crate) mod held;
pub(crate) mod holders;
pub(crate) mod issued;
mod lease;
pub(crate) mod live;
pub(crate) mod lost;
pub(crate) mod open;
pub(crate) mod order;
mod permit;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod queue;
pub(crate) mod rollout;
mod runner;
pub(crate) mod scope;
pub(crate) mod shape;
pub(crate) mod step;
pub(crate) mod subject;

pub(crate) use lease::keep;
pub(crate) use permit::Permit;
pub(crate) use runner::{claim_and_start, next_due};

use crate::domain::{Job, JobState};
use crate::storage::Leased;

impl Leased for Job {
    const OPEN: &'static [&'static str] = Job::CLAIMABLE;
    const RUNNING: &'static str = JobState::Running.name();
}
