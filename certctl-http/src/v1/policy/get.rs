//! Reading a policy rule.

use axum::extract::State;
use certctl_core::domain::PolicyRuleId;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::PolicyRule;

/// Reads a policy rule
#[utoipa::path(
    get, path = "/api/v1/policies/{id}", operation_id = "getPolicy", tag = "Policies",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = PolicyRule)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::policy::Get>,
    Ids((id,)): Ids<(PolicyRuleId,)>,
) -> Result<Tagged<PolicyRule>, Failure> {
    let found = api.engine.execute(&principal, ops::policy::Get { id }).await?;
    Ok(Tagged(found.version(), found.into_entity().into()))
}
