//! Deleting a policy rule.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::{self, PolicyRuleId};
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, IfMatch};
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
    condition: IfMatch,
) -> Result<StatusCode, Failure> {
    let condition = condition.on::<domain::PolicyRule>(&id);
    api.engine.execute_if(&principal, ops::policy::Delete { id }, condition).await?;
    Ok(StatusCode::NO_CONTENT)
}
