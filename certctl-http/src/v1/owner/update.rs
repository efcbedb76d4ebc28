//! Changing an owner.

use axum::extract::State;
use certctl_core::domain;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids, IfMatch, Tagged};
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
    Ids((id,)): Ids<(domain::OwnerId,)>,
    condition: IfMatch,
    Body(request): Body<UpdateOwner>,
) -> Result<Tagged<Owner>, Failure> {
    let condition = condition.on::<domain::Owner>(&id);
    let UpdateOwner { name, email, team_id } = request;
    let change = ops::owner::Update { id, name, email, team_id };
    Ok(Tagged::written::<domain::Owner, _>(&api, &principal, change, condition).await?)
}
