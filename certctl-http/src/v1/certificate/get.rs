//! Reading a certificate.

use axum::extract::State;
use certctl_core::domain::CertificateId;
use certctl_core::ops::certificate::Get;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::ManagedCertificate;

/// Reads a certificate
#[utoipa::path(
    get, path = "/api/v1/certificates/{id}", operation_id = "getCertificate", tag = "Certificates",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = ManagedCertificate)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Get>,
    Ids((id,)): Ids<(CertificateId,)>,
) -> Result<Tagged<ManagedCertificate>, Failure> {
    let found = api.engine.execute(&principal, Get { id }).await?;
    Ok(Tagged(found.version, found.into()))
}
