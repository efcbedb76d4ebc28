//! Making a target.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops;
use serde_json::Value;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Tagged};
use crate::router::Api;
use crate::wire::{CreateTarget, DeploymentTarget};

/// Makes a target
#[utoipa::path(
    post, path = "/api/v1/targets", operation_id = "createTarget", tag = "Targets",
    request_body = CreateTarget,
    responses((status = 201, description = "What was made", body = DeploymentTarget)),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::target::Create>,
    Body(request): Body<CreateTarget>,
) -> Result<(StatusCode, Tagged<DeploymentTarget>), Failure> {
    let CreateTarget { id, name, kind, agent_id, config, enabled, client_auth } = request;
    let config = Value::Object(config);
    let (enabled, client_auth) = (enabled.unwrap_or(true), client_auth.unwrap_or(false));
    let new = ops::target::Create { id, name, kind, agent_id, config, enabled, client_auth };
    Ok((
        StatusCode::CREATED,
        Tagged::written::<certctl_core::domain::TargetRecord, _>(&api, &principal, new, None).await?,
    ))
}
