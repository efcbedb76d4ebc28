//! Revoking a certificate.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::{CertificateId, RevocationReason};
use certctl_core::ops::certificate::Revoke;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, OptionalBody};
use crate::router::Api;
use crate::wire::{RevokeCertificate, StatusResponse};

/// Revokes a certificate, or puts it on hold
///
/// All its versions that have not expired are revoked at once, its open jobs are called off, and issuers that answer for their
/// certificates themselves are told as soon as they can be. One that is on hold may be revoked for good.
#[utoipa::path(
    post, path = "/api/v1/certificates/{id}/revoke", operation_id = "revokeCertificate", tag = "Certificates",
    params(("id" = String, Path, description = "Which")),
    request_body = Option<RevokeCertificate>,
    responses((status = 200, description = "It is revoked", body = StatusResponse)),
)]
pub(crate) async fn revoke(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Revoke>,
    Ids((id,)): Ids<(CertificateId,)>,
    OptionalBody(request): OptionalBody<RevokeCertificate>,
) -> Result<Json<StatusResponse>, Failure> {
    let reason = request.reason.unwrap_or(RevocationReason::Unspecified);
    api.engine.execute(&principal, Revoke { id, reason }).await?;
    Ok(Json(StatusResponse::new("revoked")))
}
