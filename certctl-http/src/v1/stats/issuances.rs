//! How many certificates were issued on each of the last days.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::stats::Issuances;

use super::Span;
use crate::problem::Failure;
use crate::request::{Allowed, Params};
use crate::router::Api;
use crate::wire::IssuanceCount;

/// Counts the certificates that were issued on each day up to today
#[utoipa::path(
    get, path = "/api/v1/stats/issuance-rate", operation_id = "getIssuanceRate", tag = "Stats", params(Span),
    responses((status = 200, description = "Every day, today last", body = Vec<IssuanceCount>)),
)]
pub(crate) async fn issuances(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Issuances>,
    Params(span): Params<Span>,
) -> Result<Json<Vec<IssuanceCount>>, Failure> {
    let series = api.engine.execute(&principal, Issuances { days: span.days() }).await?;
    Ok(Json(series.into_iter().map(IssuanceCount::from).collect()))
}
