//! Deleting a health check.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::{self, HealthCheckId};
use certctl_core::ops::health_check::Delete;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, IfMatch};
use crate::router::Api;

/// Deletes a health check
#[utoipa::path(
    delete, path = "/api/v1/health-checks/{id}", operation_id = "deleteHealthCheck", tag = "Health Monitoring",
    params(("id" = String, Path, description = "Which")),
    responses((status = 204, description = "It is gone")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Delete>,
    Ids((id,)): Ids<(HealthCheckId,)>,
    condition: IfMatch,
) -> Result<StatusCode, Failure> {
    let condition = condition.on::<domain::HealthCheck>(&id);
    api.engine.execute_if(&principal, Delete { id }, condition).await?;
    Ok(StatusCode::NO_CONTENT)
}
