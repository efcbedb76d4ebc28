//! Deleting a target.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, IfMatch};
use crate::router::Api;

/// Deletes a target
///
/// One that certificates use is refused with 409.
#[utoipa::path(
    delete, path = "/api/v1/targets/{id}", operation_id = "deleteTarget", tag = "Targets",
    params(("id" = String, Path, description = "Which")),
    responses((status = 204, description = "It is gone")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::target::Delete>,
    Ids((id,)): Ids<(domain::TargetId,)>,
    condition: IfMatch,
) -> Result<StatusCode, Failure> {
    let condition = condition.on::<domain::TargetRecord>(&id);
    api.engine.execute_if(&principal, ops::target::Delete { id }, condition).await?;
    Ok(StatusCode::NO_CONTENT)
}
