//! Registering certificates that were made elsewhere.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::certificate::Import;

use crate::problem::Failure;
use crate::request::{Allowed, Body};
use crate::router::Api;
use crate::wire::{ImportCertificates, ImportCertificatesResult};

/// Registers certificates that were made elsewhere, from a bundle of PEM blocks
///
/// Each certificate that is no CA's is registered with its chain, as far as the bundle holds that; what a managed certificate
/// has as a version is left alone. Nothing is issued, and no private key is read. With `dry_run: true` it is told what would
/// happen, and nothing is changed.
#[utoipa::path(
    post, path = "/api/v1/certificates/import", operation_id = "importCertificates", tag = "Certificates",
    request_body = ImportCertificates,
    responses((status = 200, description = "How it went", body = ImportCertificatesResult)),
)]
pub(crate) async fn import(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Import>,
    Body(request): Body<ImportCertificates>,
) -> Result<Json<ImportCertificatesResult>, Failure> {
    let (pem, terms, effect) = request.parts();
    let result = api.engine.execute(&principal, Import::new(pem, terms, effect)).await?;
    Ok(Json(ImportCertificatesResult::of(effect, result)))
}
