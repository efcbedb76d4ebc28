//! Deleting a target of network searches.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::NetworkScanTargetId;
use certctl_core::ops::network_scan::Delete;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, IfMatch};
use crate::router::Api;

/// Deletes networks that are searched together
///
/// What searches found stays; a search that is under way ends.
#[utoipa::path(
    delete, path = "/api/v1/network-scan-targets/{id}", operation_id = "deleteNetworkScanTarget", tag = "Network Scan",
    params(("id" = String, Path, description = "Which")),
    responses((status = 204, description = "It is gone")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Delete>,
    Ids((id,)): Ids<(NetworkScanTargetId,)>,
    condition: IfMatch,
) -> Result<StatusCode, Failure> {
    let condition = condition.on::<certctl_core::domain::NetworkScanTarget>(&id);
    api.engine.execute_if(&principal, Delete { id }, condition).await?;
    Ok(StatusCode::NO_CONTENT)
}
