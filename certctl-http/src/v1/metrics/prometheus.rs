//! Metrics for Prometheus.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use certctl_core::ops::stats::Summary;

use crate::problem::Failure;
use crate::request::Allowed;
use crate::router::Api;
use crate::wire::{MetricsResponse, exposition};

/// The text format of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Gives metrics in the text format of Prometheus
#[utoipa::path(
    get, path = "/api/v1/metrics/prometheus", operation_id = "getPrometheusMetrics", tag = "Metrics",
    responses((
        status = 200, description = "Metrics, text format 0.0.4", body = String,
        content_type = "text/plain; version=0.0.4; charset=utf-8"
    )),
)]
pub(crate) async fn prometheus(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Summary>,
) -> Result<impl IntoResponse, Failure> {
    let census = api.engine.execute(&principal, Summary).await?;
    let metrics = MetricsResponse::of(&census, &api.engine, api.now().await?);
    Ok(([(CONTENT_TYPE, TEXT)], exposition(&census, &metrics, &api.engine)))
}
