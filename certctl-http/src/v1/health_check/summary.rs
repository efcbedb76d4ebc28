//! How many endpoints do how.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::health_check::Summary;

use crate::problem::Failure;
use crate::request::Allowed;
use crate::router::Api;
use crate::wire::HealthCheckSummary;

/// Counts the health checks by status
#[utoipa::path(
    get, path = "/api/v1/health-checks/summary", operation_id = "getHealthCheckSummary", tag = "Health Monitoring",
    responses((status = 200, description = "The counts", body = HealthCheckSummary)),
)]
pub(crate) async fn summary(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Summary>,
) -> Result<Json<HealthCheckSummary>, Failure> {
    Ok(Json(api.engine.execute(&principal, Summary).await?.into()))
}
