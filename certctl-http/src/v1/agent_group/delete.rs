//! Deleting a group of agents.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, IfMatch};
use crate::router::Api;

/// Deletes a group of agents
///
/// The agents stay.
#[utoipa::path(
    delete, path = "/api/v1/agent-groups/{id}", operation_id = "deleteAgentGroup", tag = "Agent Groups",
    params(("id" = String, Path, description = "Which")),
    responses((status = 204, description = "It is gone")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::agent_group::Delete>,
    Ids((id,)): Ids<(certctl_core::domain::AgentGroupId,)>,
    condition: IfMatch,
) -> Result<StatusCode, Failure> {
    let condition = condition.on::<certctl_core::domain::AgentGroup>(&id);
    api.engine.execute_if(&principal, ops::agent_group::Delete { id }, condition).await?;
    Ok(StatusCode::NO_CONTENT)
}
