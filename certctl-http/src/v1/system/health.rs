//! Whether the server answers.

use axum::Json;
use axum::extract::State;

use crate::router::Api;
use crate::wire::Health;

/// Says that the server answers
///
/// Looks at nothing else; see `/ready` for more.
#[utoipa::path(
    get, path = "/health", operation_id = "getHealth", tag = "Health",
    responses((status = 200, description = "The server answers", body = Health)),
)]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "healthy".into(), timestamp: None })
}

/// Says that the server answers, and what time it has
#[utoipa::path(
    get, path = "/api/v1/health", operation_id = "getApiHealth", tag = "Health",
    responses((status = 200, description = "The server answers", body = Health)),
)]
pub(crate) async fn api_health(State(api): State<Api>) -> Json<Health> {
    Json(Health { status: "healthy".into(), timestamp: Some(api.engine.ports().clock.now()) })
}
