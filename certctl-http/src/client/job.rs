//! Jobs and the verification of deployments.

use certctl_core::domain::JobId;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{Job, JobVerified, Page, RejectJob, StatusResponse, VerificationResult, VerifyDeployment};

fn path<'a>(rest: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    ["api", "v1", "jobs"].into_iter().chain(rest)
}

impl Client {
    /// Lists jobs.
    pub async fn list_jobs(&self, listing: &Listing) -> Result<Page<Job>, ClientError> {
        self.list(Call::get(path([])), listing).await
    }
    /// Reads a job.
    pub async fn job(&self, id: &JobId) -> Result<Job, ClientError> {
        self.call(Call::get(path([id.as_str()]))).await
    }
    /// Calls a job off.
    pub async fn cancel_job(&self, id: &JobId) -> Result<StatusResponse, ClientError> {
        self.call(Call::post(path([id.as_str(), "cancel"]))).await
    }
    /// Approves a job that waits for it.
    pub async fn approve_job(&self, id: &JobId) -> Result<StatusResponse, ClientError> {
        self.call(Call::post(path([id.as_str(), "approve"]))).await
    }
    /// Rejects a job that waits for approval.
    pub async fn reject_job(&self, id: &JobId, request: &RejectJob) -> Result<StatusResponse, ClientError> {
        self.call(Call::post(path([id.as_str(), "reject"])).body(request)).await
    }
    /// Reports what is served after a deployment.
    pub async fn verify_deployment(&self, id: &JobId, request: &VerifyDeployment) -> Result<JobVerified, ClientError> {
        self.call(Call::post(path([id.as_str(), "verify"])).body(request)).await
    }
    /// How the verification of a deployment ended.
    pub async fn job_verification(&self, id: &JobId) -> Result<VerificationResult, ClientError> {
        self.call(Call::get(path([id.as_str(), "verification"]))).await
    }
}
