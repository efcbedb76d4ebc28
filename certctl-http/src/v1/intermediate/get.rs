//! Reading an intermediate CA.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::IntermediateCaId;
use certctl_core::ops::intermediate::Get;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::Intermediate;

/// Reads an intermediate CA
#[utoipa::path(
    get, path = "/api/v1/intermediates/{id}", operation_id = "getIntermediate", tag = "Issuers",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = Intermediate)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Get>,
    Ids((id,)): Ids<(IntermediateCaId,)>,
) -> Result<Json<Intermediate>, Failure> {
    Ok(Json(Intermediate::whole(api.engine.execute(&principal, Get { id }).await?)))
}
