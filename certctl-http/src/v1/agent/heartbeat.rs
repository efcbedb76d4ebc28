//! Signs of life.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::AgentId;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, OptionalBody};
use crate::router::Api;
use crate::wire::{Heartbeat, StatusResponse};

/// Records that an agent is alive
///
/// Its leases are extended. A retired agent is answered 410 and should stop.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/heartbeat", operation_id = "agentHeartbeat", tag = "Agents",
    params(("id" = String, Path, description = "The agent")),
    request_body = Option<Heartbeat>,
    responses((status = 200, description = "`heartbeat_recorded`", body = StatusResponse)),
)]
pub(crate) async fn heartbeat(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::agent::Heartbeat>,
    Ids((agent_id,)): Ids<(AgentId,)>,
    OptionalBody(request): OptionalBody<Heartbeat>,
) -> Result<Json<StatusResponse>, Failure> {
    let operation = ops::agent::Heartbeat {
        agent_id,
        version: request.version,
        hostname: request.hostname,
        os: request.os,
        architecture: request.architecture,
        ip_address: request.ip_address,
        target_kinds: request.target_types.unwrap_or_default(),
    };
    api.engine.execute(&principal, operation).await?;
    Ok(Json(StatusResponse::new("heartbeat_recorded")))
}
