//! Deleting an API key.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::{self, ApiKeyId};
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, IfMatch};
use crate::router::Api;

/// Deletes an API key
///
/// It is refused from then on, and its name is free; the audit trail keeps its id and name. The last key of an
/// administrator cannot be deleted.
#[utoipa::path(
    delete, path = "/api/v1/auth/keys/{id}", operation_id = "deleteApiKey", tag = "API Keys",
    params(("id" = String, Path, description = "Which")),
    responses((status = 204, description = "It is gone")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::key::Delete>,
    Ids((id,)): Ids<(ApiKeyId,)>,
    condition: IfMatch,
) -> Result<StatusCode, Failure> {
    let condition = condition.on::<domain::ApiKey>(&id);
    api.engine.execute_if(&principal, ops::key::Delete { id }, condition).await?;
    Ok(StatusCode::NO_CONTENT)
}
