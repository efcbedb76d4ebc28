//! Listing the kinds of targets.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, whole};
use crate::router::Api;
use crate::wire::{ConnectorType, ConnectorTypeList};

/// Lists the kinds of targets that this server has, by name
///
/// All of them in one page, with the schema of their configuration.
#[utoipa::path(
    get, path = "/api/v1/targets/types", operation_id = "listTargetTypes", tag = "Targets",
    responses((status = 200, description = "The whole list", body = ConnectorTypeList)),
)]
pub(crate) async fn types(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::target::Types>,
) -> Result<Json<ConnectorTypeList>, Failure> {
    let found = api.engine.execute(&principal, ops::target::Types).await?;
    Ok(Json(whole(found.into_iter().map(ConnectorType::from).collect())))
}
