//! Headers that keep answers out of frames, caches and guesses about their type.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

/// Marks a request that came over TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OverTls;

/// What every answer says unless its handler says otherwise.
const ALWAYS: [(HeaderName, &str); 5] = [
    // Answers are about secrets and states that change (RFC 9111 §5.2.2.5).
    (CACHE_CONTROL, "no-store"),
    // An answer of the API is no page: nothing may run in it, and nobody may frame it (CSP 3).
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// Adds them.
pub(crate) async fn secure(request: Request, next: Next) -> Response {
    let tls = is_over_tls(&request);
    let mut response = next.run(request).await;
    secured(response.headers_mut(), tls);
    response
}

/// Whether a request came over TLS.
pub(crate) fn is_over_tls(request: &Request) -> bool {
    request.extensions().get::<OverTls>().is_some()
}

/// Adds them to an answer, and over TLS that clients should never come without (RFC 6797 §6.1).
pub(crate) fn secured(headers: &mut HeaderMap, over_tls: bool) {
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if over_tls {
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static("max-age=31536000"));
    }
}
