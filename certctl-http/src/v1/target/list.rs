//! Listing targets.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{DeploymentTarget, DeploymentTargetList};

/// Lists targets, newest first
#[utoipa::path(
    get, path = "/api/v1/targets", operation_id = "listTargets", tag = "Targets",
    params(ListQuery),
    responses((status = 200, description = "One page of the list", body = DeploymentTargetList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::target::List>,
    Params(query): Params<ListQuery>,
) -> Result<Json<DeploymentTargetList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, ops::target::List { page: page.clone() }).await?;
    Ok(Json(listed(found, &page, DeploymentTarget::from)))
}
