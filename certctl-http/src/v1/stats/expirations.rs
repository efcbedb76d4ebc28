//! How many certificates end on each day to come.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::stats::Expirations;

use super::Span;
use crate::problem::Failure;
use crate::request::{Allowed, Params};
use crate::router::Api;
use crate::wire::ExpirationCount;

/// Counts the issued certificates that end on each day from today on
#[utoipa::path(
    get, path = "/api/v1/stats/expiration-timeline", operation_id = "getExpirationTimeline", tag = "Stats", params(Span),
    responses((status = 200, description = "Every day, today first", body = Vec<ExpirationCount>)),
)]
pub(crate) async fn expirations(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Expirations>,
    Params(span): Params<Span>,
) -> Result<Json<Vec<ExpirationCount>>, Failure> {
    let series = api.engine.execute(&principal, Expirations { days: span.days() }).await?;
    Ok(Json(series.into_iter().map(ExpirationCount::from).collect()))
}
