//! Reading a renewal policy.

use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::RenewalPolicy;

/// Reads a renewal policy
#[utoipa::path(
    get, path = "/api/v1/renewal-policies/{id}", operation_id = "getRenewalPolicy", tag = "Renewal Policies",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = RenewalPolicy)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::renewal_policy::Get>,
    Ids((id,)): Ids<(certctl_core::domain::RenewalPolicyId,)>,
) -> Result<Tagged<RenewalPolicy>, Failure> {
    let found = api.engine.execute(&principal, ops::renewal_policy::Get { id }).await?;
    Ok(Tagged(found.version(), found.into_entity().into()))
}
