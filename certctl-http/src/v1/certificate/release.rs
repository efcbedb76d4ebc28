//! Releasing a certificate that was on hold.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::CertificateId;
use certctl_core::ops::certificate::Release;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::StatusResponse;

/// Releases a certificate that was revoked with `certificateHold`
///
/// It is valid and renewed again. Jobs that were called off are not begun again. A body is not read.
#[utoipa::path(
    post, path = "/api/v1/certificates/{id}/release", operation_id = "releaseCertificate", tag = "Certificates",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "It is valid again", body = StatusResponse)),
)]
pub(crate) async fn release(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Release>,
    Ids((id,)): Ids<(CertificateId,)>,
) -> Result<Json<StatusResponse>, Failure> {
    api.engine.execute(&principal, Release { id }).await?;
    Ok(Json(StatusResponse::new("released")))
}
