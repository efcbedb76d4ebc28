//! Naming networks that are searched.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Tagged};
use crate::router::Api;
use crate::wire::{CreateNetworkScanTarget, NetworkScanTarget};

/// Names networks that are searched for certificates from now on
#[utoipa::path(
    post, path = "/api/v1/network-scan-targets", operation_id = "createNetworkScanTarget", tag = "Network Scan",
    request_body = CreateNetworkScanTarget,
    responses((status = 201, description = "What was made", body = NetworkScanTarget)),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::network_scan::Create>,
    Body(request): Body<CreateNetworkScanTarget>,
) -> Result<(StatusCode, Tagged<NetworkScanTarget>), Failure> {
    let new = ops::network_scan::Create {
        id: request.id,
        name: request.name,
        cidrs: request.cidrs,
        ports: request.ports,
        enabled: request.enabled.unwrap_or(true),
        scan_interval_hours: request.scan_interval_hours,
        timeout_ms: request.timeout_ms,
    };
    let made = Tagged::written::<certctl_core::domain::NetworkScanTarget, _>(&api, &principal, new, None).await?;
    Ok((StatusCode::CREATED, made))
}
