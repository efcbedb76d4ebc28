//! The control plane within the same program.

use std::time::Duration;

use async_trait::async_trait;

use super::{ControlError, ControlPlane, CsrAnswer, DiscoveryFound, HeartbeatReport, VerificationReport};
use crate::domain::{AgentId, CertificateId, Chain, JobId, Principal, VersionId};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind};
use crate::ops::agent::{Discover, Heartbeat, Pickup, ReportStatus, ReportedStatus, SubmitCsr, Verify, WorkItem};
use crate::ops::certificate::CsrOutcome;
use crate::ops::policy;

/// An engine, as one of its agents sees it.
#[derive(Clone, Debug)]
pub struct InProcess {
    engine: Engine,
    principal: Principal,
    agent_id: AgentId,
}

impl InProcess {
    /// Acts for an agent that is registered.
    pub fn new(engine: Engine, agent_id: AgentId) -> Self {
        Self { engine, principal: Principal::agent(agent_id.clone()), agent_id }
    }
}

fn control(error: Error) -> ControlError {
    let message = error.message().to_owned();
    match error.kind() {
        ErrorKind::Gone => ControlError::Retired(message),
        ErrorKind::Unauthenticated | ErrorKind::Forbidden => ControlError::Unauthenticated(message),
        ErrorKind::Unavailable | ErrorKind::Internal => ControlError::Unreachable(message),
        _ => ControlError::Refused(message),
    }
}

#[async_trait]
impl ControlPlane for InProcess {
    async fn heartbeat(&self, report: &HeartbeatReport) -> Result<(), ControlError> {
        let heartbeat = Heartbeat {
            agent_id: self.agent_id.clone(),
            version: report.version.clone(),
            hostname: report.hostname.clone(),
            os: report.os.clone(),
            architecture: report.architecture.clone(),
            ip_address: report.ip_address.clone(),
            target_kinds: report.target_kinds.clone(),
        };
        self.engine.execute(&self.principal, heartbeat).await.map_err(control)
    }

    async fn work(&self, wait: Duration) -> Result<Vec<WorkItem>, ControlError> {
        self.engine.agent_work(&self.principal, &self.agent_id, wait).await.map_err(control)
    }

    async fn submit_csr(&self, certificate: &CertificateId, csr_pem: &str) -> Result<CsrAnswer, ControlError> {
        let (agent_id, certificate_id) = (self.agent_id.clone(), certificate.clone());
        let submit = SubmitCsr { agent_id, certificate_id, csr_pem: csr_pem.into() };
        match self.engine.execute(&self.principal, submit).await.map_err(control)? {
            CsrOutcome::Signed { .. } => Ok(CsrAnswer::Signed),
            CsrOutcome::Accepted { .. } | CsrOutcome::AwaitingApproval { .. } => Ok(CsrAnswer::Accepted),
            CsrOutcome::Blocked { breaches, .. } => Err(control(policy::refusal(&breaches))),
            CsrOutcome::Refused { message, .. } => Err(ControlError::Refused(message)),
        }
    }

    async fn pickup(&self, certificate: &CertificateId, version: Option<&VersionId>) -> Result<Chain, ControlError> {
        let (agent_id, certificate_id) = (self.agent_id.clone(), certificate.clone());
        let pickup = Pickup { agent_id, certificate_id, version_id: version.cloned() };
        Ok(self.engine.execute(&self.principal, pickup).await.map_err(control)?.chain)
    }

    async fn report_status(
        &self,
        job: &JobId,
        status: ReportedStatus,
        error: Option<&str>,
    ) -> Result<(), ControlError> {
        let (agent_id, job_id) = (self.agent_id.clone(), job.clone());
        let report = ReportStatus { agent_id, job_id, status, error: error.map(str::to_owned) };
        self.engine.execute(&self.principal, report).await.map_err(control)
    }

    async fn report_verification(&self, job: &JobId, report: &VerificationReport) -> Result<(), ControlError> {
        let verify = Verify {
            job_id: job.clone(),
            target_id: report.target_id.clone(),
            expected_fingerprint: report.expected.to_string(),
            actual_fingerprint: report.actual.map(|print| print.to_string()).unwrap_or_default(),
            verified: report.actual == Some(report.expected),
            error: report.error.clone(),
        };
        self.engine.execute(&self.principal, verify).await.map(drop).map_err(control)
    }

    async fn report_discovery(&self, found: &DiscoveryFound) -> Result<(), ControlError> {
        let DiscoveryFound { directories, findings, errors, took } = found.clone();
        let discover = Discover { agent_id: self.agent_id.clone(), directories, findings, errors, took };
        self.engine.execute(&self.principal, discover).await.map(drop).map_err(control)
    }
}
