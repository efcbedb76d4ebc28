//! Making an API key.

use axum::extract::State;
use axum::http::StatusCode;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Body, Tagged};
use crate::router::Api;
use crate::wire::{CreateApiKey, CreatedKey};

/// Makes an API key
///
/// The key is shown this once; only its hash is stored.
#[utoipa::path(
    post, path = "/api/v1/auth/keys", operation_id = "createApiKey", tag = "API Keys",
    request_body = CreateApiKey,
    responses((status = 201, description = "The key, shown this once", body = CreatedKey)),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::key::Create>,
    Body(request): Body<CreateApiKey>,
) -> Result<(StatusCode, Tagged<CreatedKey>), Failure> {
    let CreateApiKey { id, name, role, expires_at } = request;
    let new = ops::key::Create { id, name, role, expires_at };
    Ok((StatusCode::CREATED, Tagged::written::<certctl_core::domain::ApiKey, _>(&api, &principal, new, None).await?))
}
