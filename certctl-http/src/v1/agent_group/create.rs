//! Making a group of agents.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Tagged};
use crate::router::Api;
use crate::wire::{AgentGroup, CreateAgentGroup};

/// Makes a group of agents
#[utoipa::path(
    post, path = "/api/v1/agent-groups", operation_id = "createAgentGroup", tag = "Agent Groups",
    request_body = CreateAgentGroup,
    responses((status = 201, description = "What was made", body = AgentGroup)),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::agent_group::Create>,
    Body(request): Body<CreateAgentGroup>,
) -> Result<(StatusCode, Tagged<AgentGroup>), Failure> {
    let new = ops::agent_group::Create {
        id: request.id,
        name: request.name,
        description: request.description,
        match_os: request.match_os,
        match_architecture: request.match_architecture,
        match_ip_cidr: request.match_ip_cidr,
        match_version: request.match_version,
        include_agent_ids: request.include_agent_ids,
        exclude_agent_ids: request.exclude_agent_ids,
        enabled: request.enabled.unwrap_or(true),
    };
    Ok((
        StatusCode::CREATED,
        Tagged::written::<certctl_core::domain::AgentGroup, _>(&api, &principal, new, None).await?,
    ))
}
