//! Jobs and the verification of deployments.

use certctl_core::domain::{
    self, AgentId, CertificateId, JobId, JobState, JobType, TargetId, Timestamp, VerificationStatus,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names;
use super::patch::unless_null;

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id.
    #[schema(value_type = String)]
    pub id: JobId,
    /// What it is about.
    #[serde(rename = "type")]
    #[schema(value_type = names::JobType)]
    pub kind: JobType,
    /// The certificate.
    #[schema(value_type = String)]
    pub certificate_id: CertificateId,
    /// The target of a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub target_id: Option<TargetId>,
    /// The agent that does it, or that sends the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub agent_id: Option<AgentId>,
    /// Where it stands.
    #[schema(value_type = names::JobStatus)]
    pub status: JobState,
    /// Attempts that were made.
    pub attempts: i64,
    /// Attempts that may be made.
    pub max_attempts: i64,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_error: Option<String>,
    /// When it first runs, or runs again.
    #[schema(value_type = String, format = DateTime)]
    pub scheduled_at: Timestamp,
    /// When the first attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub completed_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// How the verification of a deployment ended; empty for jobs that are not verified.
    pub verification_status: String,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub verified_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub verification_error: Option<String>,
    /// What was served: SHA-256 of the DER, 64 lower-case hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub verification_fingerprint: Option<String>,
}

/// Rejects a job that waits for approval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RejectJobRequest)]
pub struct RejectJob {
    /// Why, for whoever asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 1000)]
    pub reason: Option<String>,
}

/// What an agent saw served after a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = VerifyDeploymentRequest)]
pub struct VerifyDeployment {
    /// The target.
    pub target_id: String,
    /// What should be served: SHA-256 of the DER, hex; may be empty when `error` is not.
    #[serde(default, deserialize_with = "unless_null")]
    pub expected_fingerprint: String,
    /// What was served; may be empty when `error` is not.
    #[serde(default, deserialize_with = "unless_null")]
    pub actual_fingerprint: String,
    /// Whether they are the same.
    #[serde(default, deserialize_with = "unless_null")]
    pub verified: bool,
    /// Why nothing was seen; empty or absent when something was.
    #[serde(default, deserialize_with = "unless_null")]
    pub error: String,
}

/// That a verification was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobVerified {
    /// The job.
    #[schema(value_type = String)]
    pub job_id: JobId,
    /// Whether the deployed certificate is served.
    pub verified: bool,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub verified_at: Timestamp,
}

/// How a verification ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerificationResult {
    /// The job.
    #[schema(value_type = String)]
    pub job_id: JobId,
    /// The target.
    pub target_id: String,
    /// What should be served: 64 lower-case hex digits, or empty when it is not known yet.
    pub expected_fingerprint: String,
    /// What was served: 64 lower-case hex digits, or empty.
    pub actual_fingerprint: String,
    /// Whether they are the same.
    pub verified: bool,
    /// How it ended.
    #[schema(value_type = names::VerificationStatus)]
    pub status: VerificationStatus,
    /// When it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub verified_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
}

impl From<domain::Job> for Job {
    fn from(job: domain::Job) -> Self {
        Self {
            id: job.id,
            kind: job.kind,
            certificate_id: job.certificate_id,
            target_id: job.target_id,
            agent_id: job.agent_id,
            status: job.state,
            attempts: job.attempts,
            max_attempts: job.max_attempts,
            last_error: job.last_error,
            scheduled_at: job.scheduled_at,
            started_at: job.started_at,
            completed_at: job.completed_at,
            created_at: job.created_at,
            verification_status: job.verification_status.map_or("", VerificationStatus::name).into(),
            verified_at: job.verified_at,
            verification_error: job.verification_error,
            verification_fingerprint: job.verification_fingerprint.map(|print| print.to_string()),
        }
    }
}

impl VerificationResult {
    /// The outcome of a deployment's verification; `None` for jobs that deploy nothing.
    pub fn of(job: domain::Job) -> Option<Self> {
        let target_id = job.target_id?.to_string();
        let status = job.verification_status.unwrap_or(VerificationStatus::Pending);
        let text = |print: Option<domain::Fingerprint>| print.map(|print| print.to_string()).unwrap_or_default();
        Some(Self {
            job_id: job.id,
            target_id,
            expected_fingerprint: text(job.expected_fingerprint),
            actual_fingerprint: text(job.verification_fingerprint),
            verified: status == VerificationStatus::Success,
            status,
            verified_at: job.verified_at,
            error: job.verification_error,
        })
    }
}
