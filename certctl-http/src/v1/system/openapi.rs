//! The description of the API.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use crate::openapi::COMMITTED;

/// Describes this API
#[utoipa::path(
    get, path = "/api/v1/openapi.json", operation_id = "getOpenApi", tag = "Health",
    responses((status = 200, description = "This document, OpenAPI 3.1", body = serde_json::Value)),
)]
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], COMMITTED)
}
