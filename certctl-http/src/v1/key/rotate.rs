//! Replacing an API key by a new one.

use axum::extract::State;
use certctl_core::domain::{ApiKey, ApiKeyId};
use certctl_core::ops;

use crate::problem::Failure;
use crate::request::{Allowed, Ids, Tagged};
use crate::router::Api;
use crate::wire::CreatedKey;

/// Replaces an API key by a new one
///
/// The new key is shown this once, the old one is refused from then on. Name, role and end stay.
#[utoipa::path(
    post, path = "/api/v1/auth/keys/{id}/rotate", operation_id = "rotateApiKey", tag = "API Keys",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "The new key, shown this once", body = CreatedKey)),
)]
pub(crate) async fn rotate(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<ops::key::Rotate>,
    Ids((id,)): Ids<(ApiKeyId,)>,
) -> Result<Tagged<CreatedKey>, Failure> {
    Ok(Tagged::written::<ApiKey, _>(&api, &principal, ops::key::Rotate { id }, None).await?)
}
