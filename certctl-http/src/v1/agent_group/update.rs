//! Changing a group of agents.

use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids, IfMatch, Tagged};
use crate::router::Api;
use crate::wire::{AgentGroup, UpdateAgentGroup};

/// Changes the members of a group of agents that are given
#[utoipa::path(
    put, path = "/api/v1/agent-groups/{id}", operation_id = "updateAgentGroup", tag = "Agent Groups",
    params(("id" = String, Path, description = "Which")),
    request_body = UpdateAgentGroup,
    responses((status = 200, description = "What is stored now", body = AgentGroup)),
)]
pub(crate) async fn update(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::agent_group::Update>,
    Ids((id,)): Ids<(certctl_core::domain::AgentGroupId,)>,
    condition: IfMatch,
    Body(request): Body<UpdateAgentGroup>,
) -> Result<Tagged<AgentGroup>, Failure> {
    let condition = condition.on::<certctl_core::domain::AgentGroup>(&id);
    let change = ops::agent_group::Update {
        id,
        name: request.name,
        description: request.description,
        match_os: request.match_os,
        match_architecture: request.match_architecture,
        match_ip_cidr: request.match_ip_cidr.into_option(),
        match_version: request.match_version,
        include_agent_ids: request.include_agent_ids,
        exclude_agent_ids: request.exclude_agent_ids,
        enabled: request.enabled,
    };
    Ok(Tagged::written::<certctl_core::domain::AgentGroup, _>(&api, &principal, change, condition).await?)
}
