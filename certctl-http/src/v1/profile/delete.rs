//! Deleting a certificate profile.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;

/// Deletes a certificate profile
///
/// One that certificates name is refused with 409, and so is the default profile.
#[utoipa::path(
    delete, path = "/api/v1/profiles/{id}", operation_id = "deleteProfile", tag = "Profiles",
    params(("id" = String, Path, description = "Which")),
    responses((status = 204, description = "It is gone")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::profile::Delete>,
    Ids((id,)): Ids<(certctl_core::domain::ProfileId,)>,
) -> Result<StatusCode, Failure> {
    api.engine.execute(&principal, ops::profile::Delete { id }).await?;
    Ok(StatusCode::NO_CONTENT)
}
