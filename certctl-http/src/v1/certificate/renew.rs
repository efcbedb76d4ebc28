//! Asking for a renewal.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::Error;
use certctl_core::domain::CertificateId;
use certctl_core::ops::certificate::Renew;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::RenewTriggered;

/// Begins a renewal now
///
/// While the first issuance is open, its job is answered; while a renewal is open, 409. A body is not read.
#[utoipa::path(
    post, path = "/api/v1/certificates/{id}/renew", operation_id = "triggerRenewal", tag = "Certificates",
    params(("id" = String, Path, description = "Which")),
    responses((status = 202, description = "The jobs", body = RenewTriggered)),
)]
pub(crate) async fn renew(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Renew>,
    Ids((id,)): Ids<(CertificateId,)>,
) -> Result<(StatusCode, Json<RenewTriggered>), Failure> {
    let job_ids = api.engine.execute(&principal, Renew { id }).await?.job_ids;
    let Some(job_id) = job_ids.first().cloned() else {
        return Err(Error::conflict("no_job", "the first issuance has just ended; try again").into());
    };
    let message = format!("the renewal has begun; see job {job_id}");
    Ok((StatusCode::ACCEPTED, Json(RenewTriggered { status: "renewal_triggered".into(), job_id, job_ids, message })))
}
