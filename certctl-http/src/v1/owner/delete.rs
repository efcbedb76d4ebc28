//! Deleting an owner.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
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
    Ids((id,)): Ids<(certctl_core::domain::OwnerId,)>,
) -> Result<StatusCode, Failure> {
    api.engine.execute(&principal, ops::owner::Delete { id }).await?;
    Ok(StatusCode::NO_CONTENT)
}
