//! Saying which managed certificate a discovered one belongs to.

use axum::Json;
use axum::extract::State;
use certctl_core::Error;
use certctl_core::domain::{CertificateId, DiscoveredCertificateId};
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids};
use crate::router::Api;
use crate::wire::{ClaimDiscoveredCertificate, StatusResponse};

/// Says which managed certificate a discovered one belongs to
#[utoipa::path(
    post, path = "/api/v1/discovered-certificates/{id}/claim", operation_id = "claimDiscoveredCertificate",
    tag = "Discovery",
    params(("id" = String, Path, description = "Which")),
    request_body = ClaimDiscoveredCertificate,
    responses((status = 200, description = "`claimed`", body = StatusResponse)),
)]
pub(crate) async fn claim(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::discovery::Claim>,
    Ids((id,)): Ids<(DiscoveredCertificateId,)>,
    Body(request): Body<ClaimDiscoveredCertificate>,
) -> Result<Json<StatusResponse>, Failure> {
    let managed = CertificateId::parse(request.managed_certificate_id);
    let managed_certificate_id =
        managed.map_err(|error| Error::invalid_field("/managed_certificate_id", "invalid_value", error.to_string()))?;
    let claimed = api.engine.execute(&principal, ops::discovery::Claim { id, managed_certificate_id }).await?;
    let belongs = claimed.managed_certificate_id.map_or_else(String::new, |id| id.to_string());
    Ok(Json(StatusResponse::with_message("claimed", format!("it belongs to certificate {belongs}"))))
}
