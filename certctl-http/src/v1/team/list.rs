//! Listing teams.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{Team, TeamList};

/// Lists teams, newest first
#[utoipa::path(
    get, path = "/api/v1/teams", operation_id = "listTeams", tag = "Teams",
    params(ListQuery),
    responses((status = 200, description = "One page of the list", body = TeamList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::team::List>,
    Params(query): Params<ListQuery>,
) -> Result<Json<TeamList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, ops::team::List { page: page.clone() }).await?;
    Ok(Json(listed(found, &page, Team::from)))
}
