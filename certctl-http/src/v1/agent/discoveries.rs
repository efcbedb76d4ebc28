//! What an agent found on its host.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::domain::AgentId;
use certctl_core::ops::agent::Discover;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids};
use crate::router::Api;
use crate::wire::{DiscoveryReport, DiscoveryScan};

/// Reports the certificates that an agent found on its host
///
/// A body of up to 16 MiB is taken. A certificate that was found before at the same place keeps its record.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/discoveries", operation_id = "submitDiscoveryReport", tag = "Discovery",
    params(("id" = String, Path, description = "The agent")),
    request_body = DiscoveryReport,
    responses((status = 202, description = "What was recorded", body = DiscoveryScan)),
)]
pub(crate) async fn discoveries(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Discover>,
    Ids((agent_id,)): Ids<(AgentId,)>,
    Body(report): Body<DiscoveryReport>,
) -> Result<(StatusCode, Json<DiscoveryScan>), Failure> {
    let scan = api.engine.execute(&principal, report.into_operation(agent_id)?).await?;
    Ok((StatusCode::ACCEPTED, Json(scan.into())))
}
