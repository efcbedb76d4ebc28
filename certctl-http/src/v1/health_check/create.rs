//! Making a health check.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain;
use certctl_core::ops::health_check::Create;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Tagged};
use crate::router::Api;
use crate::wire::{CreateHealthCheck, EndpointHealthCheck};

/// Makes a check of what an endpoint serves
///
/// It is probed at once, where the server probes endpoints.
#[utoipa::path(
    post, path = "/api/v1/health-checks", operation_id = "createHealthCheck", tag = "Health Monitoring",
    request_body = CreateHealthCheck,
    responses((status = 201, description = "What was made", body = EndpointHealthCheck)),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Create>,
    Body(request): Body<CreateHealthCheck>,
) -> Result<(StatusCode, Tagged<EndpointHealthCheck>), Failure> {
    let new = Create {
        id: request.id,
        endpoint: request.endpoint,
        certificate_id: request.certificate_id,
        network_scan_target_id: request.network_scan_target_id.filter(|id| !id.is_empty()),
        expected_fingerprint: request.expected_fingerprint,
        check_interval_seconds: request.check_interval_seconds,
        timeout_ms: request.timeout_ms,
        degraded_threshold: request.degraded_threshold,
        down_threshold: request.down_threshold,
        enabled: request.enabled,
    };
    Ok((StatusCode::CREATED, Tagged::written::<domain::HealthCheck, _>(&api, &principal, new, None).await?))
}
