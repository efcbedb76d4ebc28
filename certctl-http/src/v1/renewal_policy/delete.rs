//! Deleting a renewal policy.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, IfMatch};
use crate::router::Api;

/// Deletes a renewal policy
///
/// One that certificates name is refused with 409, and so is the default policy.
#[utoipa::path(
    delete, path = "/api/v1/renewal-policies/{id}", operation_id = "deleteRenewalPolicy", tag = "Renewal Policies",
    params(("id" = String, Path, description = "Which")),
    responses((status = 204, description = "It is gone")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::renewal_policy::Delete>,
    Ids((id,)): Ids<(domain::RenewalPolicyId,)>,
    condition: IfMatch,
) -> Result<StatusCode, Failure> {
    let condition = condition.on::<domain::RenewalPolicy>(&id);
    api.engine.execute_if(&principal, ops::renewal_policy::Delete { id }, condition).await?;
    Ok(StatusCode::NO_CONTENT)
}
