//! Making an intermediate CA.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::IssuerId;
use certctl_core::ops::intermediate::Create;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids};
use crate::router::Api;
use crate::wire::{CreateIntermediate, Intermediate};

/// Makes a CA below the CA of an issuer, or below another intermediate CA of it
///
/// Its key is made here and kept sealed. It must fit below what stands above it: end sooner, have a shorter path length, and permit
/// only names that those permit. It signs once the issuer's `signing_ca` names it.
#[utoipa::path(
    post, path = "/api/v1/issuers/{id}/intermediates", operation_id = "createIntermediate", tag = "Issuers",
    params(("id" = String, Path, description = "The issuer")),
    request_body = CreateIntermediate,
    responses((status = 201, description = "What was made", body = Intermediate)),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Create>,
    Ids((id,)): Ids<(IssuerId,)>,
    Body(request): Body<CreateIntermediate>,
) -> Result<(StatusCode, Json<Intermediate>), Failure> {
    let made = api.engine.execute(&principal, request.for_issuer(id)).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}
