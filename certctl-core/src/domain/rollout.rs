//! Deployment in waves: how a renewal policy wants it, and how far a certificate's has come.

use serde::{Deserialize, Serialize};

use super::{CertificateId, Timestamp};
use crate::{entity, text_enum, transitions};

text_enum! {
    /// What becomes of a rollout of which a deployment failed.
    pub enum OnFailure {
        /// It stops, and waits for people.
        Halt = "halt",
        /// It stops, and the targets that have the new version get the one before it back.
        Rollback = "rollback",
    }
}

/// How the deployments of a new version are spread over its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentWaves {
    /// Targets of the first wave, 0 to 500; none of its own with 0.
    pub canary: i64,
    /// Targets of each further wave, 1 to 500; all that are left when absent.
    pub batch_size: Option<i64>,
    /// Deployments of one certificate at the same time, 1 to 500; as many as a wave has when absent.
    pub max_unavailable: Option<i64>,
    /// Between the end of a wave and the beginning of the next, 0 to 604,800 seconds.
    pub pause_seconds: i64,
    /// What a failed deployment or verification means for the others.
    pub on_failure: OnFailure,
}

impl DeploymentWaves {
    /// Most targets of a wave, and deployments at the same time.
    pub const MOST: i64 = 500;
    /// Longest pause between two waves, in seconds: a week.
    pub const LONGEST_PAUSE: i64 = 604_800;
}

text_enum! {
    /// Where a rollout stands.
    pub enum RolloutState {
        /// Nothing is left to be done.
        Finished = "finished",
        /// It stopped; somebody has to say that it goes on.
        Halted = "halted",
        /// It stopped, and what had the new version has the one before it again, as far as that was possible.
        RolledBack = "rolled_back",
        /// Wave after wave is deployed to.
        Rolling = "rolling",
        /// It stopped, and what has the new version gets the one before it back.
        RollingBack = "rolling_back",
    }
}

transitions! {
    RolloutState as "rollout" {
        Rolling => [Rolling, Finished, Halted, RollingBack],
        Halted => [Rolling],
        RollingBack => [RollingBack, RolledBack, Rolling],
        RolledBack => [RollingBack, Rolling],
        Finished => [Rolling],
    }
}

entity! {
    /// The newest rollout of a certificate whose renewal policy has waves. Every commit that moves it on writes it, so that of
    /// two that come at once the later one looks again.
    pub struct Rollout in "deployment_rollouts" as Mutable, fields RolloutFields {
        /// The certificate.
        id: CertificateId,
        /// Counts rollouts, and what takes them back; the jobs of this one carry it.
        round: i64,
        /// Where it stands.
        state: RolloutState,
        /// Why it was halted; absent while it goes on.
        reason: Option<String>,
        /// When it began. A version whose order was open then belongs to it.
        started_at: Timestamp,
        /// When it was last moved on.
        changed_at: Timestamp,
    }
    indexes []
    references []
}
