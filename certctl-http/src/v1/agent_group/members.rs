//! Who is in a group of agents.

use axum::Json;
use axum::extract::State;
use certctl_core::ops::PageRequest;
use certctl_core::ops::agent_group::Members;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, PageQuery, Params, listed};
use crate::router::Api;
use crate::wire::{Agent, AgentList};

/// Lists the agents that are in a group now
///
/// Each criterion that is not empty must hold. Agents that the group includes are members whatever they are; those that it
/// excludes and retired ones never are. A group without a criterion has those that it includes; a disabled one has none.
#[utoipa::path(
    get, path = "/api/v1/agent-groups/{id}/members", operation_id = "listAgentGroupMembers", tag = "Agent Groups",
    params(("id" = String, Path, description = "Which"), PageQuery),
    responses((status = 200, description = "One page of the list", body = AgentList)),
)]
pub(crate) async fn members(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Members>,
    Ids((id,)): Ids<(certctl_core::domain::AgentGroupId,)>,
    Params(query): Params<PageQuery>,
) -> Result<Json<AgentList>, Failure> {
    let (page, per_page) = query.numbers();
    let found = api.engine.execute(&principal, Members { id, page, per_page }).await?;
    let now = api.now().await?;
    Ok(Json(listed(found, &PageRequest::Number { page, per_page }, |agent| Agent::at(agent, now))))
}
