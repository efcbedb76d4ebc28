//! How long a body may be: 1 MiB, and 16 MiB for what an agent found on its host (requirements D4).

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::Next;
use axum::response::Response;

/// The longest body that is read, in bytes.
const USUAL: usize = 1 << 20;
/// The longest report of certificates that were found, in bytes: each may come with the certificate itself.
const DISCOVERIES: usize = 16 << 20;

/// The longest body that is read at a path, in bytes.
pub(crate) fn longest_body(path: &str) -> usize {
    if path.starts_with("/api/v1/agents/") && path.ends_with("/discoveries") { DISCOVERIES } else { USUAL }
}

/// Sets the limit that whoever reads the body keeps to.
pub(crate) async fn limit(mut request: Request, next: Next) -> Response {
    DefaultBodyLimit::max(longest_body(request.uri().path())).apply(&mut request);
    next.run(request).await
}
