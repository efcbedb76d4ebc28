//! Listing renewal policies.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{RenewalPolicy, RenewalPolicyList};

/// Lists renewal policies, newest first
#[utoipa::path(
    get, path = "/api/v1/renewal-policies", operation_id = "listRenewalPolicies", tag = "Renewal Policies",
    params(ListQuery),
    responses((status = 200, description = "One page of the list", body = RenewalPolicyList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::renewal_policy::List>,
    Params(query): Params<ListQuery>,
) -> Result<Json<RenewalPolicyList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, ops::renewal_policy::List { page: page.clone() }).await?;
    Ok(Json(listed(found, &page, RenewalPolicy::from)))
}
