//! Reading an agent.

use axum::extract::State;
use certctl_core::domain::AgentId;
use certctl_core::ops::agent::Get;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::Agent;

/// Reads an agent, also a retired one
#[utoipa::path(
    get, path = "/api/v1/agents/{id}", operation_id = "getAgent", tag = "Agents",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = Agent)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Get>,
    Ids((id,)): Ids<(AgentId,)>,
) -> Result<Tagged<Agent>, Failure> {
    let found = api.engine.execute(&principal, Get { id }).await?;
    Ok(Tagged(found.version(), Agent::at(found.into_entity(), api.now().await?)))
}
