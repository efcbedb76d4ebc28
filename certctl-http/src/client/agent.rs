//! Agents and what they exchange with the server.

use std::time::Duration;

use certctl_core::domain::{AgentId, CertificateId, JobId, VersionId};
use certctl_core::ports::Method;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{
    Agent, AgentCsr, CertificatePickup, CreateEnrolToken, EnrolToken, Heartbeat, JobReport, Page, RegisterAgent,
    RegisteredAgent, RetiredAgent, StatusResponse, Work,
};

fn path<'a>(rest: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    ["api", "v1", "agents"].into_iter().chain(rest)
}

/// How an agent is retired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retirement {
    /// Whether its targets retire with it and open jobs are called off. Needs a reason.
    pub force: bool,
    /// Why.
    pub reason: Option<String>,
}

impl Client {
    /// Lists agents.
    pub async fn list_agents(&self, listing: &Listing) -> Result<Page<Agent>, ClientError> {
        self.list(Call::get(path([])), listing).await
    }
    /// Lists retired agents.
    pub async fn list_retired_agents(&self, listing: &Listing) -> Result<Page<Agent>, ClientError> {
        self.list(Call::get(path(["retired"])), listing).await
    }
    /// Retires an agent; `None` when it was retired before. What stands in the way is in the `counts` of the problem.
    pub async fn retire_agent(
        &self,
        id: &AgentId,
        retirement: &Retirement,
    ) -> Result<Option<RetiredAgent>, ClientError> {
        let mut call = Call::new(Method::Delete, path([id.as_str()]));
        if retirement.force {
            call = call.query("force", "true".into());
        }
        if let Some(reason) = &retirement.reason {
            call = call.query("reason", reason.clone());
        }
        self.call_if_any(call).await
    }
    /// Reads an agent.
    pub async fn agent(&self, id: &AgentId) -> Result<Agent, ClientError> {
        self.call(Call::get(path([id.as_str()]))).await
    }
    /// Adds an agent, with a key that may or with an enrolment token.
    pub async fn register_agent(&self, request: &RegisterAgent) -> Result<RegisteredAgent, ClientError> {
        self.call(Call::post(path([])).body(request)).await
    }
    /// Makes a token with which one agent enrols.
    pub async fn create_enrol_token(&self, request: &CreateEnrolToken) -> Result<EnrolToken, ClientError> {
        self.call(Call::post(path(["enrol-tokens"])).body(request)).await
    }
    /// Says that an agent is alive.
    pub async fn agent_heartbeat(&self, id: &AgentId, request: &Heartbeat) -> Result<StatusResponse, ClientError> {
        self.call(Call::post(path([id.as_str(), "heartbeat"])).body(request)).await
    }
    /// What an agent has to do. When there is nothing, the server holds the request for up to `wait`, at most 50 s.
    pub async fn agent_work(&self, id: &AgentId, wait: Duration) -> Result<Work, ClientError> {
        let mut call = Call::get(path([id.as_str(), "work"])).patience(wait);
        if !wait.is_zero() {
            call = call.query("wait", wait.as_secs().to_string());
        }
        self.call(call).await
    }
    /// Sends a certificate signing request of an agent.
    pub async fn agent_submit_csr(&self, id: &AgentId, request: &AgentCsr) -> Result<StatusResponse, ClientError> {
        self.call(Call::post(path([id.as_str(), "csr"])).body(request)).await
    }
    /// A version of a certificate whose key an agent holds: the newest, unless one is named.
    pub async fn agent_pickup(
        &self,
        id: &AgentId,
        certificate: &CertificateId,
        version: Option<&VersionId>,
    ) -> Result<CertificatePickup, ClientError> {
        let mut call = Call::get(path([id.as_str(), "certificates", certificate.as_str()]));
        if let Some(version) = version {
            call = call.query("version_id", version.to_string());
        }
        self.call(call).await
    }
    /// Says how a job of an agent goes.
    pub async fn agent_report_job(
        &self,
        id: &AgentId,
        job: &JobId,
        request: &JobReport,
    ) -> Result<StatusResponse, ClientError> {
        self.call(Call::post(path([id.as_str(), "jobs", job.as_str(), "status"])).body(request)).await
    }
}
