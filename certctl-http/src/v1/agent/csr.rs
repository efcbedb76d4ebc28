//! Taking a signing request from an agent.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::Error;
use certctl_core::domain::AgentId;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids};
use crate::router::Api;
use crate::v1::certificate::csr_answer;
use crate::wire::{AgentCsr, StatusResponse};

/// Submits a signing request for a certificate whose key the agent holds
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/csr", operation_id = "agentSubmitCSR", tag = "Agents",
    params(("id" = String, Path, description = "The agent")),
    request_body = AgentCsr,
    responses((status = 202, description = "`csr_signed`, or `csr_accepted` where the issuer answers later", body = StatusResponse)),
)]
pub(crate) async fn csr(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::agent::SubmitCsr>,
    Ids((agent_id,)): Ids<(AgentId,)>,
    Body(AgentCsr { csr_pem, certificate_id }): Body<AgentCsr>,
) -> Result<(StatusCode, Json<StatusResponse>), Failure> {
    let certificate_id = certificate_id.ok_or_else(|| {
        Error::invalid_field("/certificate_id", "required", "name the certificate that the request is for")
    })?;
    csr_answer(api.engine.execute(&principal, ops::agent::SubmitCsr { agent_id, certificate_id, csr_pem }).await?)
}
