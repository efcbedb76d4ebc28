//! Reading one certificate that was found.

use axum::extract::State;
use certctl_core::domain::DiscoveredCertificateId;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::DiscoveredCertificate;

/// Reads a certificate that was found
#[utoipa::path(
    get, path = "/api/v1/discovered-certificates/{id}", operation_id = "getDiscoveredCertificate", tag = "Discovery",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = DiscoveredCertificate)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::discovery::Get>,
    Ids((id,)): Ids<(DiscoveredCertificateId,)>,
) -> Result<Tagged<DiscoveredCertificate>, Failure> {
    let (version, found) = api.engine.execute(&principal, ops::discovery::Get { id }).await?;
    Ok(Tagged(version, found.into()))
}
