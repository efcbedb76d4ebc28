//! Retiring an intermediate CA.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::IntermediateCaId;
use certctl_core::ops::intermediate::Retire;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::Intermediate;

/// Retires an intermediate CA, in two steps
///
/// The first call makes it `retiring`: it signs nothing new. The second makes it `retired`, for good. What it signed stays valid.
/// Refused with 409 while CAs below it are active, or while its issuer signs with it.
#[utoipa::path(
    post, path = "/api/v1/intermediates/{id}/retire", operation_id = "retireIntermediate", tag = "Issuers",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "How it stands now", body = Intermediate)),
)]
pub(crate) async fn retire(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Retire>,
    Ids((id,)): Ids<(IntermediateCaId,)>,
) -> Result<Json<Intermediate>, Failure> {
    Ok(Json(Intermediate::whole(api.engine.execute(&principal, Retire { id }).await?)))
}
