//! Changing an owner.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids};
use crate::router::Api;
use crate::wire::{Owner, UpdateOwner};

/// Changes the members of an owner that are given
#[utoipa::path(
    put, path = "/api/v1/owners/{id}", operation_id = "updateOwner", tag = "Owners",
    params(("id" = String, Path, description = "Which")),
    request_body = UpdateOwner,
    responses((status = 200, description = "What is stored now", body = Owner)),
)]
pub(crate) async fn update(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::owner::Update>,
    Ids((id,)): Ids<(certctl_core::domain::OwnerId,)>,
    Body(request): Body<UpdateOwner>,
) -> Result<Json<Owner>, Failure> {
    let UpdateOwner { name, email, team_id } = request;
    let change = ops::owner::Update { id, name, email, team_id };
    Ok(Json(api.engine.execute(&principal, change).await?.into()))
}
