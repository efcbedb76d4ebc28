//! Deleting a team.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, IfMatch};
use crate::router::Api;

/// Deletes a team
///
/// One that owners or certificates name is refused with 409.
#[utoipa::path(
    delete, path = "/api/v1/teams/{id}", operation_id = "deleteTeam", tag = "Teams",
    params(("id" = String, Path, description = "Which")),
    responses((status = 204, description = "It is gone")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::team::Delete>,
    Ids((id,)): Ids<(domain::TeamId,)>,
    condition: IfMatch,
) -> Result<StatusCode, Failure> {
    let condition = condition.on::<domain::Team>(&id);
    api.engine.execute_if(&principal, ops::team::Delete { id }, condition).await?;
    Ok(StatusCode::NO_CONTENT)
}
