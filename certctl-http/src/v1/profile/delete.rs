//! Deleting a certificate profile.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, IfMatch};
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
    Ids((id,)): Ids<(domain::ProfileId,)>,
    condition: IfMatch,
) -> Result<StatusCode, Failure> {
    let condition = condition.on::<domain::Profile>(&id);
    api.engine.execute_if(&principal, ops::profile::Delete { id }, condition).await?;
    Ok(StatusCode::NO_CONTENT)
}
