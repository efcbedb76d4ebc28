//! Reading one target of network searches.

use axum::extract::State;
use certctl_core::domain::NetworkScanTargetId;
use certctl_core::ops::network_scan::Get;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::NetworkScanTarget;

/// Reads networks that are searched together
#[utoipa::path(
    get, path = "/api/v1/network-scan-targets/{id}", operation_id = "getNetworkScanTarget", tag = "Network Scan",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = NetworkScanTarget)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Get>,
    Ids((id,)): Ids<(NetworkScanTargetId,)>,
) -> Result<Tagged<NetworkScanTarget>, Failure> {
    let (version, target) = api.engine.execute(&principal, Get { id }).await?;
    Ok(Tagged(version, target.into()))
}
