//! Listing retired agents.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::agent::ListRetired;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{Agent, AgentList};

/// Lists retired agents, those that retired last first
#[utoipa::path(
    get, path = "/api/v1/agents/retired", operation_id = "listRetiredAgents", tag = "Agents",
    params(ListQuery),
    responses((status = 200, description = "One page of the list", body = AgentList)),
)]
pub(crate) async fn list_retired(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ListRetired>,
    Params(query): Params<ListQuery>,
) -> Result<Json<AgentList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, ListRetired { page: page.clone() }).await?;
    let now = api.now().await?;
    Ok(Json(listed(found, &page, |agent| Agent::at(agent, now))))
}
