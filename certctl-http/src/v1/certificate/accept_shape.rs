//! Accepting that a version differs from the one before it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::CertificateId;
use certctl_core::ops::certificate::AcceptShape;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::DeployTriggered;

/// Deploys the newest version although it differs from the one before it
///
/// A version that lost what its targets rely on, such as clientAuth, is held: issued and not deployed. The `shape` gate of the
/// certificate's explanation says why. Where nothing is held, 409.
#[utoipa::path(
    post, path = "/api/v1/certificates/{id}/accept-shape", operation_id = "acceptCertificateShape", tag = "Certificates",
    params(("id" = String, Path, description = "Which")),
    responses((status = 202, description = "The jobs", body = DeployTriggered)),
)]
pub(crate) async fn accept_shape(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<AcceptShape>,
    Ids((id,)): Ids<(CertificateId,)>,
) -> Result<(StatusCode, Json<DeployTriggered>), Failure> {
    let job_ids = api.engine.execute(&principal, AcceptShape { id }).await?.job_ids;
    let message = format!("deployments begun: {}", job_ids.len());
    Ok((StatusCode::ACCEPTED, Json(DeployTriggered { status: "shape_accepted".into(), job_ids, message })))
}
