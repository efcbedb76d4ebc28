//! Making an intermediate CA, or registering one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::IssuerId;
use certctl_core::ops::intermediate::Create;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids};
use crate::router::Api;
use crate::wire::{CreateIntermediate, Intermediate, WantedIntermediate};

/// Makes a CA below the CA of an issuer, or registers one that there is already
///
/// One that is made has the issuer's CA above it, or another intermediate CA of the issuer. Its key is made here and kept sealed. It
/// must fit below what stands above it: end sooner, have a shorter path length, and permit only names that those permit.
///
/// One that is registered brings its `certificate_pem`: a root, or another CA with those above it. The path is validated as RFC 5280
/// §6 has it. With its `private_key_pem`, which is kept sealed, it may sign; without, it only stands above others.
///
/// It signs once the issuer's `signing_ca` names it.
#[utoipa::path(
    post, path = "/api/v1/issuers/{id}/intermediates", operation_id = "createIntermediate", tag = "Issuers",
    params(("id" = String, Path, description = "The issuer")),
    request_body = CreateIntermediate,
    responses((status = 201, description = "What was made or registered", body = Intermediate)),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Create>,
    Ids((id,)): Ids<(IssuerId,)>,
    Body(request): Body<CreateIntermediate>,
) -> Result<(StatusCode, Json<Intermediate>), Failure> {
    let kept = match request.for_issuer(id)? {
        WantedIntermediate::Made(create) => api.engine.execute(&principal, *create).await?,
        WantedIntermediate::Registered(register) => api.engine.execute(&principal, register).await?,
    };
    Ok((StatusCode::CREATED, Json(Intermediate::whole(kept))))
}
