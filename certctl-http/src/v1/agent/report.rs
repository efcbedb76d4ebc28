//! How a job of an agent goes.

use axum::Json;
use axum::extract::State;
use certctl_core::Error;
use certctl_core::domain::{AgentId, JobId};
use certctl_core::ops::agent::{ReportStatus, ReportedStatus};

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids};
use crate::router::Api;
use crate::wire::{JobReport, StatusResponse};

/// Reports how a job of an agent goes
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/jobs/{job_id}/status", operation_id = "agentReportJobStatus", tag = "Agents",
    params(("id" = String, Path, description = "The agent"), ("job_id" = String, Path, description = "The job")),
    request_body = JobReport,
    responses((status = 200, description = "`updated`", body = StatusResponse)),
)]
pub(crate) async fn report(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ReportStatus>,
    Ids((agent_id, job_id)): Ids<(AgentId, JobId)>,
    Body(JobReport { status, error }): Body<JobReport>,
) -> Result<Json<StatusResponse>, Failure> {
    let status = status.parse::<ReportedStatus>();
    let status = status.map_err(|error| Error::invalid_field("/status", "invalid_value", error.to_string()))?;
    api.engine.execute(&principal, ReportStatus { agent_id, job_id, status, error }).await?;
    Ok(Json(StatusResponse::new("updated")))
}
