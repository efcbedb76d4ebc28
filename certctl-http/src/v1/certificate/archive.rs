//! Putting a certificate away.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::{self, CertificateId};
use certctl_core::ops::certificate::Archive;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, IfMatch};
use crate::router::Api;

/// Archives a certificate and calls off its open jobs
#[utoipa::path(
    delete, path = "/api/v1/certificates/{id}", operation_id = "archiveCertificate", tag = "Certificates",
    params(("id" = String, Path, description = "Which")),
    responses((status = 204, description = "It is put away")),
)]
pub(crate) async fn archive(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Archive>,
    Ids((id,)): Ids<(CertificateId,)>,
    condition: IfMatch,
) -> Result<StatusCode, Failure> {
    let condition = condition.on::<domain::Certificate>(&id);
    api.engine.execute_if(&principal, Archive { id }, condition).await?;
    Ok(StatusCode::NO_CONTENT)
}
