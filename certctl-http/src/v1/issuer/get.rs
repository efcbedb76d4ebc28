//! Reading an issuer.

use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::Issuer;

/// Reads an issuer
#[utoipa::path(
    get, path = "/api/v1/issuers/{id}", operation_id = "getIssuer", tag = "Issuers",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = Issuer)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::issuer::Get>,
    Ids((id,)): Ids<(certctl_core::domain::IssuerId,)>,
) -> Result<Tagged<Issuer>, Failure> {
    let found = api.engine.execute(&principal, ops::issuer::Get { id }).await?;
    Ok(Tagged(found.version(), found.into_entity().into()))
}
