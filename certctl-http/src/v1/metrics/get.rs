//! Metrics as JSON.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::stats::Summary;

use crate::problem::Failure;
use crate::request::Allowed;
use crate::router::Api;
use crate::wire::MetricsResponse;

/// Gives metrics as JSON
#[utoipa::path(
    get, path = "/api/v1/metrics", operation_id = "getMetrics", tag = "Metrics",
    responses((status = 200, description = "Metrics of the store and of this server", body = MetricsResponse)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Summary>,
) -> Result<Json<MetricsResponse>, Failure> {
    let census = api.engine.execute(&principal, Summary).await?;
    Ok(Json(MetricsResponse::of(&census, &api.engine, api.now().await?)))
}
