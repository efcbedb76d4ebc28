//! Deleting an owner.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, IfMatch};
use crate::router::Api;

/// Deletes an owner
///
/// One who answers for certificates is refused with 409.
#[utoipa::path(
    delete, path = "/api/v1/owners/{id}", operation_id = "deleteOwner", tag = "Owners",
    params(("id" = String, Path, description = "Which")),
    responses((status = 204, description = "It is gone")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::owner::Delete>,
    Ids((id,)): Ids<(domain::OwnerId,)>,
    condition: IfMatch,
) -> Result<StatusCode, Failure> {
    let condition = condition.on::<domain::Owner>(&id);
    api.engine.execute_if(&principal, ops::owner::Delete { id }, condition).await?;
    Ok(StatusCode::NO_CONTENT)
}
