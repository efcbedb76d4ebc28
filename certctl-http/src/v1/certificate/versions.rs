//! Listing the versions of a certificate.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::CertificateId;
use certctl_core::ops::certificate::Versions;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{CertificateVersion, CertificateVersionList};

/// Lists the versions of a certificate, newest first
#[utoipa::path(
    get, path = "/api/v1/certificates/{id}/versions", operation_id = "listCertificateVersions", tag = "Certificates",
    params(("id" = String, Path, description = "Which"), ListQuery),
    responses((status = 200, description = "One page of the list", body = CertificateVersionList)),
)]
pub(crate) async fn versions(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Versions>,
    Ids((id,)): Ids<(CertificateId,)>,
    Params(query): Params<ListQuery>,
) -> Result<Json<CertificateVersionList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, Versions { id, page: page.clone() }).await?;
    Ok(Json(listed(found, &page, CertificateVersion::from)))
}
