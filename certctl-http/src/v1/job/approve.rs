//! Approving a job.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::JobId;
use certctl_core::ops::job::Approve;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::StatusResponse;

/// Approves a job that waits for approval
///
/// Whoever asked for the job may not: 403. A job that does not wait for approval, or not any more: 400.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/approve", operation_id = "approveJob", tag = "Jobs",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "`job_approved`", body = StatusResponse)),
)]
pub(crate) async fn approve(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Approve>,
    Ids((id,)): Ids<(JobId,)>,
) -> Result<Json<StatusResponse>, Failure> {
    let message = format!("job {id} is approved");
    api.engine.execute(&principal, Approve { id }).await?;
    Ok(Json(StatusResponse::with_message("job_approved", message)))
}
