//! Listing targets of network searches.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::network_scan::List;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{NetworkScanTarget, NetworkScanTargetList};

/// Lists the networks that are searched for certificates, newest first
#[utoipa::path(
    get, path = "/api/v1/network-scan-targets", operation_id = "listNetworkScanTargets", tag = "Network Scan",
    params(ListQuery),
    responses((status = 200, description = "One page of the list", body = NetworkScanTargetList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<List>,
    Params(query): Params<ListQuery>,
) -> Result<Json<NetworkScanTargetList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, List { page: page.clone() }).await?;
    Ok(Json(listed(found, &page, NetworkScanTarget::from)))
}
