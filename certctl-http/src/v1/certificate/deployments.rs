//! Listing the targets of a certificate.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::CertificateId;
use certctl_core::ops::certificate::Deployments;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{DeploymentTarget, DeploymentTargetList};

/// Lists the targets that a certificate is deployed to
#[utoipa::path(
    get, path = "/api/v1/certificates/{id}/deployments", operation_id = "getCertificateDeployments", tag = "Certificates",
    params(("id" = String, Path, description = "Which"), ListQuery),
    responses((status = 200, description = "One page of the list", body = DeploymentTargetList)),
)]
pub(crate) async fn deployments(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Deployments>,
    Ids((id,)): Ids<(CertificateId,)>,
    Params(query): Params<ListQuery>,
) -> Result<Json<DeploymentTargetList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, Deployments { id, page: page.clone() }).await?;
    Ok(Json(listed(found, &page, DeploymentTarget::from)))
}
