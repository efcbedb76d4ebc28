//! Handing an agent the certificate for its key.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::{AgentId, CertificateId};
use certctl_core::ops::agent::Pickup;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::CertificatePickup;

/// Hands an agent the newest certificate for the key that it holds
#[utoipa::path(
    get, path = "/api/v1/agents/{id}/certificates/{cert_id}", operation_id = "agentPickupCertificate", tag = "Agents",
    params(("id" = String, Path, description = "The agent"), ("cert_id" = String, Path, description = "The certificate")),
    responses((status = 200, description = "The certificate and those above it", body = CertificatePickup)),
)]
pub(crate) async fn pickup(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Pickup>,
    Ids((agent_id, certificate_id)): Ids<(AgentId, CertificateId)>,
) -> Result<Json<CertificatePickup>, Failure> {
    let version = api.engine.execute(&principal, Pickup { agent_id, certificate_id }).await?;
    Ok(Json(CertificatePickup { certificate_pem: version.chain.to_pem() }))
}
