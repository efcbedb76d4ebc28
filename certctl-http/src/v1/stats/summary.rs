//! How many there are of what.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::stats::Summary;

use crate::problem::Failure;
use crate::request::Allowed;
use crate::router::Api;
use crate::wire::DashboardSummary;

/// Counts certificates, agents, jobs and dead notifications
#[utoipa::path(
    get, path = "/api/v1/stats/summary", operation_id = "getDashboardSummary", tag = "Stats",
    responses((status = 200, description = "The counts, all of one moment", body = DashboardSummary)),
)]
pub(crate) async fn summary(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Summary>,
) -> Result<Json<DashboardSummary>, Failure> {
    let census = api.engine.execute(&principal, Summary).await?;
    Ok(Json(DashboardSummary::from(&*census)))
}
