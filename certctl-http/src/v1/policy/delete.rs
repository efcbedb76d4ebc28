//! Deleting a policy rule.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::PolicyRuleId;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;

/// Deletes a policy rule, and with it what violates it
#[utoipa::path(
    delete, path = "/api/v1/policies/{id}", operation_id = "deletePolicy", tag = "Policies",
    params(("id" = String, Path, description = "Which")),
    responses((status = 204, description = "It is gone")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::policy::Delete>,
    Ids((id,)): Ids<(PolicyRuleId,)>,
) -> Result<StatusCode, Failure> {
    api.engine.execute(&principal, ops::policy::Delete { id }).await?;
    Ok(StatusCode::NO_CONTENT)
}
