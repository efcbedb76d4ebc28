//! Listing API keys.

use axum::Json;
use axum::extract::State;
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed};
use crate::router::Api;
use crate::wire::{ApiKey, ApiKeyList};

/// Lists API keys, newest first
#[utoipa::path(
    get, path = "/api/v1/auth/keys", operation_id = "listApiKeys", tag = "API Keys",
    params(ListQuery),
    responses((status = 200, description = "One page", body = ApiKeyList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::key::List>,
    Params(query): Params<ListQuery>,
) -> Result<Json<ApiKeyList>, Failure> {
    let page = query.request()?;
    let found = api.engine.execute(&principal, ops::key::List { page: page.clone() }).await?;
    Ok(Json(listed(found, &page, ApiKey::from)))
}
