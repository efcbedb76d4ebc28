//! Calling a job off.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::JobId;
use certctl_core::ops::job::Cancel;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::StatusResponse;

/// Calls an open job off
///
/// A deployment of a rollout that has begun halts the rollout; one that waits for its turn is left out.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/cancel", operation_id = "cancelJob", tag = "Jobs",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "`job_cancelled`", body = StatusResponse)),
)]
pub(crate) async fn cancel(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Cancel>,
    Ids((id,)): Ids<(JobId,)>,
) -> Result<Json<StatusResponse>, Failure> {
    let message = format!("job {id} is called off");
    api.engine.execute(&principal, Cancel { id }).await?;
    Ok(Json(StatusResponse::with_message("job_cancelled", message)))
}
