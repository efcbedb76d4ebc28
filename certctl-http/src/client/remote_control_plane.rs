//! The control plane of an agent, over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use certctl_core::agent::{ControlError, ControlPlane, CsrAnswer, DiscoveryFound, HeartbeatReport, VerificationReport};
use certctl_core::domain::{AgentId, CertificateId, Chain, JobId, VersionId};
use certctl_core::ops::agent::{ReportedStatus, WorkItem};

use super::{Client, ClientError};
use crate::wire::{AgentCsr, DiscoveryReport, Heartbeat, JobReport, ReportedCertificate, VerifyDeployment};

/// The control plane as one agent sees it, through a client that has the agent's credential.
#[derive(Clone, Debug)]
pub struct RemoteControlPlane {
    client: Client,
    agent_id: AgentId,
}

impl RemoteControlPlane {
    /// The server of `client` for this agent.
    pub fn new(client: Client, agent_id: AgentId) -> Self {
        Self { client, agent_id }
    }
}

/// What an agent can do about a failed call: stop, ask for a new credential, give the job up, or try again.
fn control(error: ClientError) -> ControlError {
    let text = match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    match error.status() {
        Some(401) => ControlError::Unauthenticated(text),
        Some(410) => ControlError::Retired(text),
        Some(400..=499) if !error.is_retryable() => ControlError::Refused(text),
        _ => ControlError::Unreachable(text),
    }
}

fn unreadable(error: impl std::fmt::Display) -> ControlError {
    ControlError::Unreachable(format!("the server's answer cannot be read: {error}"))
}

#[async_trait]
impl ControlPlane for RemoteControlPlane {
    async fn heartbeat(&self, report: &HeartbeatReport) -> Result<(), ControlError> {
        let request = Heartbeat {
            version: report.version.clone(),
            hostname: report.hostname.clone(),
            os: report.os.clone(),
            architecture: report.architecture.clone(),
            ip_address: report.ip_address.clone(),
            target_types: Some(report.target_kinds.clone()),
        };
        self.client.agent_heartbeat(&self.agent_id, &request).await.map(drop).map_err(control)
    }

    async fn work(&self, wait: Duration) -> Result<Vec<WorkItem>, ControlError> {
        let work = self.client.agent_work(&self.agent_id, wait).await.map_err(control)?;
        work.jobs.into_iter().map(|item| item.try_into().map_err(unreadable)).collect()
    }

    async fn submit_csr(&self, certificate: &CertificateId, csr_pem: &str) -> Result<CsrAnswer, ControlError> {
        let request = AgentCsr { csr_pem: csr_pem.into(), certificate_id: Some(certificate.clone()) };
        let answer = self.client.agent_submit_csr(&self.agent_id, &request).await.map_err(control)?;
        Ok(if answer.status == "csr_signed" { CsrAnswer::Signed } else { CsrAnswer::Accepted })
    }

    async fn pickup(&self, certificate: &CertificateId, version: Option<&VersionId>) -> Result<Chain, ControlError> {
        let pickup = self.client.agent_pickup(&self.agent_id, certificate, version).await.map_err(control)?;
        Chain::from_pem(&pickup.certificate_pem).map_err(unreadable)
    }

    async fn report_status(
        &self,
        job: &JobId,
        status: ReportedStatus,
        error: Option<&str>,
    ) -> Result<(), ControlError> {
        let request = JobReport { status: status.name().into(), error: error.map(ToOwned::to_owned) };
        self.client.agent_report_job(&self.agent_id, job, &request).await.map(drop).map_err(control)
    }

    async fn report_verification(&self, job: &JobId, report: &VerificationReport) -> Result<(), ControlError> {
        let request = VerifyDeployment {
            target_id: report.target_id.to_string(),
            expected_fingerprint: report.expected.to_string(),
            actual_fingerprint: report.actual.map(|actual| actual.to_string()).unwrap_or_default(),
            verified: report.actual == Some(report.expected) && report.error.is_none(),
            error: report.error.clone().unwrap_or_default(),
        };
        self.client.verify_deployment(job, &request).await.map(drop).map_err(control)
    }

    async fn report_discovery(&self, found: &DiscoveryFound) -> Result<(), ControlError> {
        let report = DiscoveryReport {
            agent_id: self.agent_id.to_string(),
            directories: found.directories.clone(),
            certificates: found.findings.iter().map(ReportedCertificate::from).collect(),
            errors: found.errors.clone(),
            scan_duration_ms: i64::try_from(found.took.as_millis()).unwrap_or(i64::MAX),
        };
        self.client.submit_discovery_report(&self.agent_id, &report).await.map(drop).map_err(control)
    }
}
