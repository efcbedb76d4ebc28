//! Listing groups of agents.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, page};
use crate::router::Api;
use crate::wire::{AgentGroup, AgentGroupList};

/// Lists groups of agents, newest first
#[utoipa::path(
    get, path = "/api/v1/agent-groups", operation_id = "listAgentGroups", tag = "Agent Groups",
    params(ListQuery),
    responses((status = 200, description = "One page of the list", body = AgentGroupList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::agent_group::List>,
    Params(query): Params<ListQuery>,
) -> Result<Json<AgentGroupList>, Failure> {
    let asked = query.request()?;
    let (found, views) = api.engine.execute(&principal, ops::agent_group::List { page: asked.clone() }).await?;
    Ok(Json(page(&found, &asked, views.into_iter().map(AgentGroup::from).collect())))
}
