//! Exporting a certificate as PEM.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use certctl_core::domain::CertificateId;
use certctl_core::ops::certificate::ExportPem;
use serde::Deserialize;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Params};
use crate::router::Api;
use crate::wire::{ExportedPem, Octets};

/// In which form it is wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// `true` for a file instead of JSON.
    #[param(value_type = Option<bool>, nullable = false)]
    download: Option<String>,
}

/// Exports the newest version of a certificate as PEM, without a key
///
/// JSON with its parts, or a file `certificate.pem` with all of it.
#[utoipa::path(
    get, path = "/api/v1/certificates/{id}/export/pem", operation_id = "exportCertificatePEM", tag = "Certificates",
    params(("id" = String, Path, description = "Which"), Wanted),
    responses((
        status = 200,
        description = "The certificate and those above it",
        content((ExportedPem = "application/json"), (Octets = "application/x-pem-file"))
    )),
)]
pub(crate) async fn export_pem(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ExportPem>,
    Ids((id,)): Ids<(CertificateId,)>,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Failure> {
    let chain = api.engine.execute(&principal, ExportPem { id }).await?;
    if wanted.download.is_some_and(|text| matches!(text.as_str(), "true" | "1")) {
        let named = [
            (CONTENT_TYPE, "application/x-pem-file"),
            (CONTENT_DISPOSITION, "attachment; filename=\"certificate.pem\""),
        ];
        return Ok((named, chain.to_pem()).into_response());
    }
    Ok(Json(ExportedPem::from(chain)).into_response())
}
