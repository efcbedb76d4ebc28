//! Making a team.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Tagged};
use crate::router::Api;
use crate::wire::{CreateTeam, Team};

/// Makes a team
#[utoipa::path(
    post, path = "/api/v1/teams", operation_id = "createTeam", tag = "Teams",
    request_body = CreateTeam,
    responses((status = 201, description = "What was made", body = Team)),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::team::Create>,
    Body(request): Body<CreateTeam>,
) -> Result<(StatusCode, Tagged<Team>), Failure> {
    let CreateTeam { id, name, description } = request;
    let new = ops::team::Create { id, name, description };
    Ok((StatusCode::CREATED, Tagged::written::<certctl_core::domain::Team, _>(&api, &principal, new, None).await?))
}
