//! Changing networks that are searched.

use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids, IfMatch, Tagged};
use crate::router::Api;
use crate::wire::{NetworkScanTarget, UpdateNetworkScanTarget};

/// Changes the members that are given of networks that are searched together
///
/// A search that is under way ends, and one with the new values is due.
#[utoipa::path(
    put, path = "/api/v1/network-scan-targets/{id}", operation_id = "updateNetworkScanTarget", tag = "Network Scan",
    params(("id" = String, Path, description = "Which")),
    request_body = UpdateNetworkScanTarget,
    responses((status = 200, description = "What is stored now", body = NetworkScanTarget)),
)]
pub(crate) async fn update(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::network_scan::Update>,
    Ids((id,)): Ids<(certctl_core::domain::NetworkScanTargetId,)>,
    condition: IfMatch,
    Body(request): Body<UpdateNetworkScanTarget>,
) -> Result<Tagged<NetworkScanTarget>, Failure> {
    let condition = condition.on::<certctl_core::domain::NetworkScanTarget>(&id);
    let change = ops::network_scan::Update {
        id,
        name: request.name,
        cidrs: request.cidrs,
        ports: request.ports,
        enabled: request.enabled,
        scan_interval_hours: request.scan_interval_hours,
        timeout_ms: request.timeout_ms,
    };
    Ok(Tagged::written::<certctl_core::domain::NetworkScanTarget, _>(&api, &principal, change, condition).await?)
}
