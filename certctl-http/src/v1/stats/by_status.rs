//! How many certificates have which status.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::stats::Summary;

use crate::problem::Failure;
use crate::request::Allowed;
use crate::router::Api;
use crate::wire::{StatusCount, by_status as counts};

/// Counts certificates by status, those that are archived too
#[utoipa::path(
    get, path = "/api/v1/stats/certificates-by-status", operation_id = "getCertificatesByStatus", tag = "Stats",
    responses((
        status = 200, description = "The statuses that some certificate has, by name", body = Vec<StatusCount>
    )),
)]
pub(crate) async fn by_status(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Summary>,
) -> Result<Json<Vec<StatusCount>>, Failure> {
    Ok(Json(counts(&*api.engine.execute(&principal, Summary).await?)))
}
