//! Rejecting a job.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::JobId;
use certctl_core::ops::job::Reject;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, OptionalBody};
use crate::router::Api;
use crate::wire::{RejectJob, StatusResponse};

/// Rejects a job that waits for approval, which ends it
///
/// Whoever asked for the job may not: 403. A job that does not wait for approval, or not any more: 400.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/reject", operation_id = "rejectJob", tag = "Jobs",
    params(("id" = String, Path, description = "Which")),
    request_body = Option<RejectJob>,
    responses((status = 200, description = "`job_rejected`", body = StatusResponse)),
)]
pub(crate) async fn reject(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Reject>,
    Ids((id,)): Ids<(JobId,)>,
    OptionalBody(RejectJob { reason }): OptionalBody<RejectJob>,
) -> Result<Json<StatusResponse>, Failure> {
    let message = format!("job {id} is rejected");
    api.engine.execute(&principal, Reject { id, reason }).await?;
    Ok(Json(StatusResponse::with_message("job_rejected", message)))
}
