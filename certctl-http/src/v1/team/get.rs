//! Reading a team.

use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::Team;

/// Reads a team
#[utoipa::path(
    get, path = "/api/v1/teams/{id}", operation_id = "getTeam", tag = "Teams",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = Team)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::team::Get>,
    Ids((id,)): Ids<(certctl_core::domain::TeamId,)>,
) -> Result<Tagged<Team>, Failure> {
    let found = api.engine.execute(&principal, ops::team::Get { id }).await?;
    Ok(Tagged(found.version(), found.into_entity().into()))
}
