//! Exporting a certificate as a trust store.

use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use certctl_core::domain::CertificateId;
use certctl_core::ops;
use certctl_core::ports::Secret;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, OptionalBody};
use crate::router::Api;
use crate::wire::{ExportPkcs12, Octets};

/// Exports the newest version of a certificate as a PKCS #12 trust store, without a key
///
/// AES-256 and HMAC-SHA-256; `openssl pkcs12 -nokeys` and Java read it. A password with other characters than printable ASCII
/// is refused with 422, because programs read them differently.
#[utoipa::path(
    post, path = "/api/v1/certificates/{id}/export/pkcs12", operation_id = "exportCertificatePKCS12", tag = "Certificates",
    params(("id" = String, Path, description = "Which")),
    request_body = Option<ExportPkcs12>,
    responses((
        status = 200,
        description = "The certificate and those above it, as trusted certificates",
        content((Octets = "application/x-pkcs12"))
    )),
)]
pub(crate) async fn export_pkcs12(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::certificate::ExportPkcs12>,
    Ids((id,)): Ids<(CertificateId,)>,
    OptionalBody(ExportPkcs12 { password }): OptionalBody<ExportPkcs12>,
) -> Result<impl IntoResponse, Failure> {
    let password = password.unwrap_or_else(|| Secret::new(""));
    let store = api.engine.execute(&principal, ops::certificate::ExportPkcs12 { id, password }).await?;
    let named =
        [(CONTENT_TYPE, "application/x-pkcs12"), (CONTENT_DISPOSITION, "attachment; filename=\"certificate.p12\"")];
    Ok((named, store))
}
