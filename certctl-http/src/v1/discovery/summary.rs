//! How many certificates were found.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::discovery::Summary;

use crate::problem::Failure;
use crate::request::Allowed;
use crate::router::Api;
use crate::wire::DiscoverySummary;

/// Counts the certificates that were found, by status
#[utoipa::path(
    get, path = "/api/v1/discovery-summary", operation_id = "getDiscoverySummary", tag = "Discovery",
    responses((status = 200, description = "The counts, each under its name in both spellings", body = DiscoverySummary)),
)]
pub(crate) async fn summary(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Summary>,
) -> Result<Json<DiscoverySummary>, Failure> {
    Ok(Json(api.engine.execute(&principal, Summary).await?.into()))
}
