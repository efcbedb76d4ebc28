//! What the probes of an endpoint saw.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::HealthCheckId;
use certctl_core::ops::health_check::History;
use serde::Deserialize;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Params, value};
use crate::router::Api;
use crate::wire::HealthHistoryEntry;

/// How much of the history is wanted.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryQuery {
    /// How many entries at most: 1 to 1000. Anything else counts as 100.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

/// Reads what the probes of an endpoint saw, newest first, for 30 days
#[utoipa::path(
    get, path = "/api/v1/health-checks/{id}/history", operation_id = "getHealthCheckHistory", tag = "Health Monitoring",
    params(("id" = String, Path, description = "Which"), HistoryQuery),
    responses((status = 200, description = "The newest probes", body = Vec<HealthHistoryEntry>)),
)]
pub(crate) async fn history(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<History>,
    Ids((id,)): Ids<(HealthCheckId,)>,
    Params(query): Params<HistoryQuery>,
) -> Result<Json<Vec<HealthHistoryEntry>>, Failure> {
    let limit = value::<usize>("limit", query.limit.as_ref())?.filter(|limit| (1..=History::MOST).contains(limit));
    let found = api.engine.execute(&principal, History { id, limit: limit.unwrap_or(100) }).await?;
    Ok(Json(found.into_iter().map(HealthHistoryEntry::from).collect()))
}
