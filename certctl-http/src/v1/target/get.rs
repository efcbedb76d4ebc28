//! Reading a target.

use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::DeploymentTarget;

/// Reads a target
#[utoipa::path(
    get, path = "/api/v1/targets/{id}", operation_id = "getTarget", tag = "Targets",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = DeploymentTarget)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::target::Get>,
    Ids((id,)): Ids<(certctl_core::domain::TargetId,)>,
) -> Result<Tagged<DeploymentTarget>, Failure> {
    let found = api.engine.execute(&principal, ops::target::Get { id }).await?;
    Ok(Tagged(found.version(), found.into_entity().into()))
}
