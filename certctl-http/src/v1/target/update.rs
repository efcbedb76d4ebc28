//! Changing a target.

use axum::extract::State;
use certctl_core::domain;
use certctl_core::ops;
use serde_json::Value;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids, IfMatch, Tagged};
use crate::router::Api;
use crate::wire::{DeploymentTarget, UpdateTarget};

/// Changes the members of a target that are given
///
/// Its type cannot be changed. A secret that is sent as `********` keeps the stored value. With another agent the open jobs of the
/// agent that had it are called off, and its certificates are issued anew with keys of the new one.
#[utoipa::path(
    put, path = "/api/v1/targets/{id}", operation_id = "updateTarget", tag = "Targets",
    params(("id" = String, Path, description = "Which")),
    request_body = UpdateTarget,
    responses((status = 200, description = "What is stored now", body = DeploymentTarget)),
)]
pub(crate) async fn update(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::target::Update>,
    Ids((id,)): Ids<(domain::TargetId,)>,
    condition: IfMatch,
    Body(request): Body<UpdateTarget>,
) -> Result<Tagged<DeploymentTarget>, Failure> {
    let condition = condition.on::<domain::TargetRecord>(&id);
    let UpdateTarget { name, config, agent_id, enabled, client_auth } = request;
    let change = ops::target::Update { id, name, config: config.map(Value::Object), agent_id, enabled, client_auth };
    Ok(Tagged::written::<domain::TargetRecord, _>(&api, &principal, change, condition).await?)
}
