//! Changing a health check.

use axum::extract::State;
use certctl_core::domain::{self, HealthCheckId};
use certctl_core::ops::health_check::Update;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids, IfMatch, Tagged};
use crate::router::Api;
use crate::wire::{EndpointHealthCheck, UpdateHealthCheck};

/// Changes the members of a health check that are given
#[utoipa::path(
    put, path = "/api/v1/health-checks/{id}", operation_id = "updateHealthCheck", tag = "Health Monitoring",
    params(("id" = String, Path, description = "Which")),
    request_body = UpdateHealthCheck,
    responses((status = 200, description = "What is stored now", body = EndpointHealthCheck)),
)]
pub(crate) async fn update(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Update>,
    Ids((id,)): Ids<(HealthCheckId,)>,
    condition: IfMatch,
    Body(request): Body<UpdateHealthCheck>,
) -> Result<Tagged<EndpointHealthCheck>, Failure> {
    let condition = condition.on::<domain::HealthCheck>(&id);
    let change = Update {
        id,
        endpoint: request.endpoint,
        certificate_id: request.certificate_id,
        expected_fingerprint: request.expected_fingerprint,
        check_interval_seconds: request.check_interval_seconds,
        timeout_ms: request.timeout_ms,
        degraded_threshold: request.degraded_threshold,
        down_threshold: request.down_threshold,
        enabled: request.enabled,
    };
    Ok(Tagged::written::<domain::HealthCheck, _>(&api, &principal, change, condition).await?)
}
