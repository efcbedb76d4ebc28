//! What an agent asks of the control plane.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{CertificateId, Chain, Finding, Fingerprint, JobId, TargetId, VersionId};
use crate::ops::agent::{ReportedStatus, WorkItem};

/// A question was not answered as hoped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// This agent is retired: it must stop, and not come back.
    #[error("this agent is retired: {0}")]
    Retired(String),
    /// The credential is not accepted.
    #[error("the control plane does not accept this agent's credential: {0}")]
    Unauthenticated(String),
    /// The control plane understood and refused.
    #[error("the control plane refused: {0}")]
    Refused(String),
    /// No answer. Try again.
    #[error("the control plane cannot be reached: {0}")]
    Unreachable(String),
}

/// A sign of life, with what the agent knows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatReport {
    /// Of its program.
    pub version: String,
    /// The name of its host.
    pub hostname: String,
    /// Such as `linux`.
    pub os: String,
    /// Such as `amd64`.
    pub architecture: String,
    /// As it sees it.
    pub ip_address: String,
    /// The target kinds it can deploy to.
    pub target_kinds: Vec<String>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsrAnswer {
    /// It was certified.
    Signed,
    /// The issuer was asked.
    Accepted,
}

/// What was seen served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationReport {
    /// The target.
    pub target_id: TargetId,
    /// What should be served.
    pub expected: Fingerprint,
    /// What was served.
    pub actual: Option<Fingerprint>,
    /// Why nothing was.
    pub error: Option<String>,
}

/// What a search of the host for certificates found, or a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiscoveryFound {
    /// Where it searched.
    pub directories: Vec<String>,
    /// What it found.
    pub findings: Vec<Finding>,
    /// Why some files could not be read.
    pub errors: Vec<String>,
    /// How long it took so far.
    pub took: Duration,
}

/// The control plane, as one agent sees it. The agent's id and credential are the implementation's.
#[async_trait]
pub trait ControlPlane: Send + Sync {
    /// Says that the agent lives.
    async fn heartbeat(&self, report: &HeartbeatReport) -> Result<(), ControlError>;
    /// Asks for work, and waits for some at most this long.
    async fn work(&self, wait: Duration) -> Result<Vec<WorkItem>, ControlError>;
    /// Submits a PEM request for a certificate.
    async fn submit_csr(&self, certificate: &CertificateId, csr_pem: &str) -> Result<CsrAnswer, ControlError>;
    /// Fetches a version of a certificate for the agent's own key: the newest, unless one is named.
    async fn pickup(&self, certificate: &CertificateId, version: Option<&VersionId>) -> Result<Chain, ControlError>;
    /// Reports on a job.
    async fn report_status(&self, job: &JobId, status: ReportedStatus, error: Option<&str>)
    -> Result<(), ControlError>;
    /// Reports what is served.
    async fn report_verification(&self, job: &JobId, report: &VerificationReport) -> Result<(), ControlError>;
    /// Reports certificates that were found on the host.
    async fn report_discovery(&self, found: &DiscoveryFound) -> Result<(), ControlError>;
}
