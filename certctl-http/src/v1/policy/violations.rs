//! Listing what violates a policy rule.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::PolicyRuleId;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{PolicyViolation, PolicyViolationList};

/// Lists the certificates that violate a policy rule, newest first
///
/// Each once, while that is so.
#[utoipa::path(
    get, path = "/api/v1/policies/{id}/violations", operation_id = "listPolicyViolations", tag = "Policies",
    params(("id" = String, Path, description = "The rule"), ListQuery),
    responses((status = 200, description = "One page of the list", body = PolicyViolationList)),
)]
pub(crate) async fn violations(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::policy::Violations>,
    Ids((id,)): Ids<(PolicyRuleId,)>,
    Params(query): Params<ListQuery>,
) -> Result<Json<PolicyViolationList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, ops::policy::Violations { id, page: page.clone() }).await?;
    Ok(Json(listed(found, &page, PolicyViolation::from)))
}
