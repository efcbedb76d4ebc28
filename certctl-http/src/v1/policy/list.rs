//! Listing policy rules.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{PolicyRule, PolicyRuleList};

/// Lists policy rules, newest first
#[utoipa::path(
    get, path = "/api/v1/policies", operation_id = "listPolicies", tag = "Policies",
    params(ListQuery),
    responses((status = 200, description = "One page of the list", body = PolicyRuleList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::policy::List>,
    Params(query): Params<ListQuery>,
) -> Result<Json<PolicyRuleList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, ops::policy::List { page: page.clone() }).await?;
    Ok(Json(listed(found, &page, PolicyRule::from)))
}
