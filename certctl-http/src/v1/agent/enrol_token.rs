//! Making a token with which one agent enrols.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, OptionalBody};
use crate::router::Api;
use crate::wire::{CreateEnrolToken, EnrolToken};

/// Makes a token with which one agent enrols, once
#[utoipa::path(
    post, path = "/api/v1/agents/enrol-tokens", operation_id = "createEnrolToken", tag = "Agents",
    request_body = Option<CreateEnrolToken>,
    responses((status = 201, description = "The token, shown this once", body = EnrolToken)),
)]
pub(crate) async fn enrol_token(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::agent::CreateEnrolToken>,
    OptionalBody(request): OptionalBody<CreateEnrolToken>,
) -> Result<(StatusCode, Json<EnrolToken>), Failure> {
    let expires_in = request.expires_in.map(Duration::from_secs);
    let operation = ops::agent::CreateEnrolToken { agent_id: request.agent_id, expires_in };
    let made = api.engine.execute(&principal, operation).await?;
    Ok((StatusCode::CREATED, Json(EnrolToken { token: made.token, expires_at: made.expires_at })))
}
