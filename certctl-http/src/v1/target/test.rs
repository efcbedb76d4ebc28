//! Trying a target out.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::target::Test;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::StatusResponse;

/// Looks whether the agent of a target is there
///
/// How that ended is stored. Nothing is deployed, and the agent is not asked: it was heard of within three minutes, or not.
#[utoipa::path(
    post, path = "/api/v1/targets/{id}/test", operation_id = "testTargetConnection", tag = "Targets",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "`success` or `failed`, and why", body = StatusResponse)),
)]
pub(crate) async fn test(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Test>,
    Ids((id,)): Ids<(certctl_core::domain::TargetId,)>,
) -> Result<Json<StatusResponse>, Failure> {
    let test = api.engine.execute(&principal, Test { id }).await?;
    let status = if test.passed { "success" } else { "failed" };
    Ok(Json(StatusResponse::with_message(status, test.message)))
}
