//! Reading an API key.

use axum::extract::State;
use certctl_core::domain::ApiKeyId;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::ApiKey;

/// Reads what is known of an API key
#[utoipa::path(
    get, path = "/api/v1/auth/keys/{id}", operation_id = "getApiKey", tag = "API Keys",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "What is stored", body = ApiKey)),
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::key::Get>,
    Ids((id,)): Ids<(ApiKeyId,)>,
) -> Result<Tagged<ApiKey>, Failure> {
    let found = api.engine.execute(&principal, ops::key::Get { id }).await?;
    Ok(Tagged(found.version(), found.into_entity().into()))
}
