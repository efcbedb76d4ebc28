//! Reading a health check.

use axum::extract::State;
use certctl_core::domain::HealthCheckId;
use certctl_core::ops::health_check::Get;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::EndpointHealthCheck;

/// Reads a health check
#[utoipa::path(
    get, path = "/api/v1/health-checks/{id}", operation_id = "getHealthCheck", tag = "Health Monitoring",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = EndpointHealthCheck)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Get>,
    Ids((id,)): Ids<(HealthCheckId,)>,
) -> Result<Tagged<EndpointHealthCheck>, Failure> {
    let found = api.engine.execute(&principal, Get { id }).await?;
    Ok(Tagged(found.version(), found.into_entity().into()))
}
