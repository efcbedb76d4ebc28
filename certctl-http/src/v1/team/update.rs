//! Changing a team.

use axum::extract::State;
use certctl_core::domain;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids, IfMatch, Tagged};
use crate::router::Api;
use crate::wire::{Team, UpdateTeam};

/// Changes the members of a team that are given
#[utoipa::path(
    put, path = "/api/v1/teams/{id}", operation_id = "updateTeam", tag = "Teams",
    params(("id" = String, Path, description = "Which")),
    request_body = UpdateTeam,
    responses((status = 200, description = "What is stored now", body = Team)),
)]
pub(crate) async fn update(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::team::Update>,
    Ids((id,)): Ids<(domain::TeamId,)>,
    condition: IfMatch,
    Body(request): Body<UpdateTeam>,
) -> Result<Tagged<Team>, Failure> {
    let condition = condition.on::<domain::Team>(&id);
    let UpdateTeam { name, description } = request;
    let change = ops::team::Update { id, name, description };
    Ok(Tagged::written::<domain::Team, _>(&api, &principal, change, condition).await?)
}
