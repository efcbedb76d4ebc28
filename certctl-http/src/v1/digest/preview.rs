//! The digest as it would be sent now.

use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;
use certctl_core::ops::digest::Preview;

use crate::problem::Failure;
use crate::request::Allowed;
use crate::router::Api;

/// A page of tables and inline styles that needs nothing else, so that a browser need not allow it more.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Gives the digest as HTML, as it would be sent now
///
/// 503 where no digest is configured.
#[utoipa::path(
    get, path = "/api/v1/digest/preview", operation_id = "previewDigest", tag = "Digest",
    responses((status = 200, description = "The page", body = String, content_type = "text/html; charset=utf-8")),
)]
pub(crate) async fn preview(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Preview>,
) -> Result<impl IntoResponse, Failure> {
    let digest = api.engine.execute(&principal, Preview).await?;
    Ok(([(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY)], digest.html()))
}
