//! Saying that somebody knows of an endpoint's trouble.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::HealthCheckId;
use certctl_core::ops::health_check::Acknowledge;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, OptionalBody};
use crate::router::Api;
use crate::wire::AcknowledgeHealthCheck;

/// Acknowledges how an endpoint does, until that changes
///
/// Who does is the caller, whatever the body says; it may be empty.
#[utoipa::path(
    post, path = "/api/v1/health-checks/{id}/acknowledge", operation_id = "acknowledgeHealthCheckIncident",
    tag = "Health Monitoring",
    params(("id" = String, Path, description = "Which")),
    request_body = Option<AcknowledgeHealthCheck>,
    responses((status = 204, description = "It is acknowledged")),
)]
pub(crate) async fn acknowledge(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Acknowledge>,
    Ids((id,)): Ids<(HealthCheckId,)>,
    OptionalBody(AcknowledgeHealthCheck { .. }): OptionalBody<AcknowledgeHealthCheck>,
) -> Result<StatusCode, Failure> {
    api.engine.execute(&principal, Acknowledge { id }).await?;
    Ok(StatusCode::NO_CONTENT)
}
