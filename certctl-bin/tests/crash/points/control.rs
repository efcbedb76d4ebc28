//! The control plane of an agent with points around every question.

use std::time::Duration;

use async_trait::async_trait;
use certctl_core::agent::{ControlError, ControlPlane, CsrAnswer, DiscoveryFound, HeartbeatReport, VerificationReport};
use certctl_core::domain::{CertificateId, Chain, JobId, VersionId};
use certctl_core::ops::agent::{ReportedStatus, WorkItem};

use super::Points;

pub(crate) struct PointedControl<C> {
    pub(crate) inner: C,
    pub(crate) points: Points,
}

#[async_trait]
impl<C: ControlPlane> ControlPlane for PointedControl<C> {
    async fn heartbeat(&self, report: &HeartbeatReport) -> Result<(), ControlError> {
        self.points.around("ask.heartbeat", self.inner.heartbeat(report)).await
    }
    async fn work(&self, wait: Duration) -> Result<Vec<WorkItem>, ControlError> {
        self.points.around("ask.work", self.inner.work(wait)).await
    }
    async fn submit_csr(&self, certificate: &CertificateId, csr_pem: &str) -> Result<CsrAnswer, ControlError> {
        self.points.around("ask.submit_csr", self.inner.submit_csr(certificate, csr_pem)).await
    }
    async fn pickup(&self, certificate: &CertificateId, version: Option<&VersionId>) -> Result<Chain, ControlError> {
        self.points.around("ask.pickup", self.inner.pickup(certificate, version)).await
    }
    async fn report_status(
        &self,
        job: &JobId,
        status: ReportedStatus,
        error: Option<&str>,
    ) -> Result<(), ControlError> {
        let name = format!("ask.report_{status:?}").to_lowercase();
        self.points.around(&name, self.inner.report_status(job, status, error)).await
    }
    async fn report_verification(&self, job: &JobId, report: &VerificationReport) -> Result<(), ControlError> {
        self.points.around("ask.report_verification", self.inner.report_verification(job, report)).await
    }
    async fn report_discovery(&self, found: &DiscoveryFound) -> Result<(), ControlError> {
        self.inner.report_discovery(found).await
    }
}
