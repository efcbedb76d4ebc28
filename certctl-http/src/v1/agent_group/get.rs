//! Reading a group of agents.

use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::AgentGroup;

/// Reads a group of agents
#[utoipa::path(
    get, path = "/api/v1/agent-groups/{id}", operation_id = "getAgentGroup", tag = "Agent Groups",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = AgentGroup)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::agent_group::Get>,
    Ids((id,)): Ids<(certctl_core::domain::AgentGroupId,)>,
) -> Result<Tagged<AgentGroup>, Failure> {
    let (version, group) = api.engine.execute(&principal, ops::agent_group::Get { id }).await?;
    Ok(Tagged(version, group.into()))
}
