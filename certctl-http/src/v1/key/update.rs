//! Changing an API key.

use axum::extract::State;
use certctl_core::domain::{self, ApiKeyId};
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Ids, IfMatch, Tagged};
use crate::router::Api;
use crate::wire::{ApiKey, UpdateApiKey};

/// Changes the members of an API key that are given
///
/// The last key of an administrator cannot be disabled, given another role or a sooner end. A key of the configuration is
/// changed there.
#[utoipa::path(
    put, path = "/api/v1/auth/keys/{id}", operation_id = "updateApiKey", tag = "API Keys",
    params(("id" = String, Path, description = "Which")),
    request_body = UpdateApiKey,
    responses((status = 200, description = "What is stored now", body = ApiKey)),
)]
pub(crate) async fn update(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::key::Update>,
    Ids((id,)): Ids<(ApiKeyId,)>,
    condition: IfMatch,
    Body(request): Body<UpdateApiKey>,
) -> Result<Tagged<ApiKey>, Failure> {
    let condition = condition.on::<domain::ApiKey>(&id);
    let UpdateApiKey { name, role, disabled, expires_at } = request;
    let change = ops::key::Update { id, name, role, disabled, expires_at: expires_at.into_option() };
    Ok(Tagged::written::<domain::ApiKey, _>(&api, &principal, change, condition).await?)
}
