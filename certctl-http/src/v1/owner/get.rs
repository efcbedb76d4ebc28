//! Reading an owner.

use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::Owner;

/// Reads an owner
#[utoipa::path(
    get, path = "/api/v1/owners/{id}", operation_id = "getOwner", tag = "Owners",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = Owner)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::owner::Get>,
    Ids((id,)): Ids<(certctl_core::domain::OwnerId,)>,
) -> Result<Tagged<Owner>, Failure> {
    let found = api.engine.execute(&principal, ops::owner::Get { id }).await?;
    Ok(Tagged(found.version(), found.into_entity().into()))
}
