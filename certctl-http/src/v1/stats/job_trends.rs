//! How jobs ended on each of the last days.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::stats::JobTrends;

use super::Span;
use crate::problem::Failure;
use crate::request::{Allowed, Params};
use crate::router::Api;
use crate::wire::JobTrendCount;

/// Counts the jobs that ended on each day up to today
#[utoipa::path(
    get, path = "/api/v1/stats/job-trends", operation_id = "getJobTrends", tag = "Stats", params(Span),
    responses((status = 200, description = "Every day, today last", body = Vec<JobTrendCount>)),
)]
pub(crate) async fn job_trends(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<JobTrends>,
    Params(span): Params<Span>,
) -> Result<Json<Vec<JobTrendCount>>, Failure> {
    let series = api.engine.execute(&principal, JobTrends { days: span.days() }).await?;
    Ok(Json(series.into_iter().map(JobTrendCount::from).collect()))
}
