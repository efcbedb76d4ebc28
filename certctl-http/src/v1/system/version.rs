//! Which version the server is.

use axum::Json;

use crate::wire::VersionInfo;

/// Says which version the server is
#[utoipa::path(
    get, path = "/api/v1/version", operation_id = "getVersion", tag = "Health",
    responses((status = 200, description = "The version", body = VersionInfo)),
)]
pub(crate) async fn version() -> Json<VersionInfo> {
    let commit = option_env!("CERTCTL_COMMIT").filter(|commit| !commit.is_empty());
    Json(VersionInfo { version: env!("CARGO_PKG_VERSION").into(), commit: commit.map(Into::into) })
}
