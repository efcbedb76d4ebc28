//! Trying an issuer out.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops::issuer::Test;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::StatusResponse;

/// Tries an issuer out, without an order
///
/// How that ended is stored. What stands in the way of orders is answered with 422 `connection_failed` and the cause.
#[utoipa::path(
    post, path = "/api/v1/issuers/{id}/test", operation_id = "testIssuerConnection", tag = "Issuers",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "`connection_successful`, and what was found", body = StatusResponse)),
)]
pub(crate) async fn test(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Test>,
    Ids((id,)): Ids<(certctl_core::domain::IssuerId,)>,
) -> Result<Json<StatusResponse>, Failure> {
    let test = api.engine.execute(&principal, Test { id }).await?;
    if test.passed {
        Ok(Json(StatusResponse::with_message("connection_successful", test.message)))
    } else {
        Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "connection_failed", test.message))
    }
}
