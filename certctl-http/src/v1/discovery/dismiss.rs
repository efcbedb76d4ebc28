//! Saying that a discovered certificate does not matter.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::DiscoveredCertificateId;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::StatusResponse;

/// Says that a discovered certificate does not matter
///
/// Searches that find it again leave it dismissed.
#[utoipa::path(
    post, path = "/api/v1/discovered-certificates/{id}/dismiss", operation_id = "dismissDiscoveredCertificate",
    tag = "Discovery",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "`dismissed`", body = StatusResponse)),
)]
pub(crate) async fn dismiss(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::discovery::Dismiss>,
    Ids((id,)): Ids<(DiscoveredCertificateId,)>,
) -> Result<Json<StatusResponse>, Failure> {
    api.engine.execute(&principal, ops::discovery::Dismiss { id }).await?;
    Ok(Json(StatusResponse::with_message("dismissed", "searches that find it again leave it dismissed")))
}
