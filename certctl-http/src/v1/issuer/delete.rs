//! Deleting an issuer.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, IfMatch};
use crate::router::Api;

/// Deletes an issuer
///
/// One that certificates use is refused with 409.
#[utoipa::path(
    delete, path = "/api/v1/issuers/{id}", operation_id = "deleteIssuer", tag = "Issuers",
    params(("id" = String, Path, description = "Which")),
    responses((status = 204, description = "It is gone")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::issuer::Delete>,
    Ids((id,)): Ids<(domain::IssuerId,)>,
    condition: IfMatch,
) -> Result<StatusCode, Failure> {
    let condition = condition.on::<domain::IssuerRecord>(&id);
    api.engine.execute_if(&principal, ops::issuer::Delete { id }, condition).await?;
    Ok(StatusCode::NO_CONTENT)
}
