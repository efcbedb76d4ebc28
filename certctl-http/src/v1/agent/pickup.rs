//! Handing an agent the certificate for its key.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::{AgentId, CertificateId, VersionId};
use certctl_core::ops::agent::Pickup;
use serde::Deserialize;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Params, value};
use crate::router::Api;
use crate::wire::CertificatePickup;

/// Which version.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// The version, such as that of a job; the newest when absent.
    #[param(value_type = Option<String>, nullable = false)]
    version_id: Option<String>,
}

/// Hands an agent a certificate for a key that it holds: the newest, unless a version is named
#[utoipa::path(
    get, path = "/api/v1/agents/{id}/certificates/{cert_id}", operation_id = "agentPickupCertificate", tag = "Agents",
    params(("id" = String, Path, description = "The agent"), ("cert_id" = String, Path, description = "The certificate"), Wanted),
    responses((status = 200, description = "The certificate and those above it", body = CertificatePickup)),
)]
pub(crate) async fn pickup(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Pickup>,
    Ids((agent_id, certificate_id)): Ids<(AgentId, CertificateId)>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<CertificatePickup>, Failure> {
    let version_id = value::<VersionId>("version_id", wanted.version_id.as_ref())?;
    let version = api.engine.execute(&principal, Pickup { agent_id, certificate_id, version_id }).await?;
    Ok(Json(CertificatePickup { certificate_pem: version.chain.to_pem() }))
}
