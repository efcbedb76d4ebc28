//! Jobs: durable work with leases.

use super::{AgentId, Certificate, CertificateId, Fingerprint, JobId, TargetId, Timestamp, VersionId};
use crate::entity::Index;
use crate::{entity, text_enum, transitions};

text_enum! {
    /// What a job is about.
    pub enum JobType {
        /// Putting a version on a target.
        Deployment = "Deployment",
        /// The first version.
        Issuance = "Issuance",
        /// A further version.
        Renewal = "Renewal",
        /// Looking at what a target serves, on request.
        Validation = "Validation",
    }
}

impl JobType {
    /// Whether the job obtains a version.
    pub const fn issues(self) -> bool {
        matches!(self, Self::Issuance | Self::Renewal)
    }
}

text_enum! {
    /// The state of a job, as the wire names it.
    pub enum JobState {
        /// Somebody has to approve.
        AwaitingApproval = "AwaitingApproval",
        /// A key holder has to send a request.
        AwaitingCsr = "AwaitingCSR",
        /// Called off.
        Cancelled = "Cancelled",
        /// Done.
        Completed = "Completed",
        /// The last attempt failed; another follows while attempts are left.
        Failed = "Failed",
        /// Due at `due_at`.
        Pending = "Pending",
        /// A holder works on it, until `due_at`.
        Running = "Running",
    }
}

transitions! {
    JobState as "job" {
        AwaitingApproval => [Pending, AwaitingCsr, Failed, Cancelled],
        AwaitingCsr => [Running, Pending, Completed, Failed, Cancelled],
        Pending => [Running, Completed, Failed, Cancelled],
        Running => [Running, Pending, AwaitingCsr, Completed, Failed, Cancelled],
        Failed => [Pending, AwaitingCsr, Running, Cancelled],
        Completed => [],
        Cancelled => [],
    }
}

text_enum! {
    /// How a verification ended.
    pub enum VerificationStatus {
        /// Something else is served, or nothing.
        Failed = "failed",
        /// Not made yet.
        Pending = "pending",
        /// There is nothing to shake hands with.
        Skipped = "skipped",
        /// The deployed certificate is served.
        Success = "success",
    }
}

entity! {
    /// A job.
    pub struct Job in "jobs" as Mutable, fields JobFields {
        /// Its id.
        id: JobId,
        /// What it is about.
        kind: JobType,
        /// The certificate.
        certificate_id: CertificateId,
        /// The target of a deployment.
        target_id: Option<TargetId>,
        /// The agent that does it or sends the request.
        agent_id: Option<AgentId>,
        /// Who holds the key: an agent's id, or empty for whoever sends the request.
        key_holder: String,
        /// The version to deploy, or the one that was obtained.
        version_id: Option<VersionId>,
        /// Where it stands.
        state: JobState,
        /// Who may claim it: `issuer:…` or `agent:…`.
        partition: String,
        /// When anyone may claim it: first run, retry, end of lease, or end of waiting.
        due_at: Timestamp,
        /// Counts claims; the fencing token of the current one.
        attempt: i64,
        /// Who has the lease.
        holder: Option<String>,
        /// What only one open job may have: `issue:CERTIFICATE:HOLDER` or `deploy:CERTIFICATE:TARGET`; absent when closed.
        open_slot: Option<String>,
        /// Sealed data of the step it is at: the request and the issuer's order state.
        step: Option<Vec<u8>>,
        /// Attempts that were made.
        attempts: i64,
        /// Attempts that may be made.
        max_attempts: i64,
        /// The first pause between attempts, in seconds.
        retry_interval_seconds: i64,
        /// Whether a failed job is at its end.
        exhausted: bool,
        /// Why the last attempt failed.
        last_error: Option<String>,
        /// Who asked for it.
        requested_by: String,
        /// When it first runs or runs again.
        scheduled_at: Timestamp,
        /// When the first attempt began.
        started_at: Option<Timestamp>,
        /// When it ended.
        completed_at: Option<Timestamp>,
        /// When it was made.
        created_at: Timestamp,
        /// How the verification ended, for deployments.
        verification_status: Option<VerificationStatus>,
        /// When that was.
        verified_at: Option<Timestamp>,
        /// Why it failed.
        verification_error: Option<String>,
        /// What should be served.
        expected_fingerprint: Option<Fingerprint>,
        /// What was served.
        verification_fingerprint: Option<Fingerprint>,
        /// The round of the certificate's rollout that it belongs to: 0 for none although its policy has waves, absent without.
        rollout: Option<i64>,
    }
    indexes [
        Index::unique("jobs_open_slot", &["open_slot"]),
        Index::on("jobs_due", &["partition", "due_at", "id"]).only("state", Job::CLAIMABLE),
        Index::on("jobs_by_creation", &["created_at", "id"]),
        Index::on("jobs_by_end", &["state", "completed_at"]),
        Index::on("jobs_certificate", &["certificate_id", "created_at", "id"]),
        Index::on("jobs_agent", &["agent_id", "state"]),
        Index::on("jobs_waiting", &["state", "due_at"]).only("state", Job::WAITING),
    ]
    references [certificate_id -> Certificate]
}

impl Job {
    /// The states from which a job is claimed. A failed one carries its retry in `due_at`; at its end, never.
    pub const CLAIMABLE: &'static [&'static str] =
        &[JobState::Pending.name(), JobState::Running.name(), JobState::Failed.name()];

    /// The states that wait for somebody.
    pub const WAITING: &'static [&'static str] = &[JobState::AwaitingCsr.name(), JobState::AwaitingApproval.name()];

    /// Whether the job is open: it will still do something.
    pub fn is_open(&self) -> bool {
        match self.state {
            JobState::AwaitingApproval | JobState::AwaitingCsr | JobState::Pending | JobState::Running => true,
            JobState::Failed => !self.exhausted,
            JobState::Cancelled | JobState::Completed => false,
        }
    }

    /// Whether it waits for its turn in a rollout.
    pub fn is_held(&self) -> bool {
        self.rollout.is_some() && self.state == JobState::Pending && self.due_at == Timestamp::NEVER
    }

    /// The slot of an issuing job.
    pub fn issue_slot(certificate: &CertificateId, key_holder: &str) -> String {
        format!("issue:{certificate}:{key_holder}")
    }

    /// The slot of a deployment.
    pub fn deploy_slot(certificate: &CertificateId, target: &TargetId) -> String {
        format!("deploy:{certificate}:{target}")
    }

    /// The partition of jobs that an issuer works off.
    pub fn issuer_partition(issuer: &str) -> String {
        format!("issuer:{issuer}")
    }

    /// The partition of jobs that an agent works off.
    pub fn agent_partition(agent: &AgentId) -> String {
        format!("agent:{agent}")
    }
}
