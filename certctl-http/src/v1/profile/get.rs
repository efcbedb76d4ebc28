//! Reading a certificate profile.

use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::CertificateProfile;

/// Reads a certificate profile
#[utoipa::path(
    get, path = "/api/v1/profiles/{id}", operation_id = "getProfile", tag = "Profiles",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = CertificateProfile)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::profile::Get>,
    Ids((id,)): Ids<(certctl_core::domain::ProfileId,)>,
) -> Result<Tagged<CertificateProfile>, Failure> {
    let found = api.engine.execute(&principal, ops::profile::Get { id }).await?;
    Ok(Tagged(found.version(), found.into_entity().into()))
}
