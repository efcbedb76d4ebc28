//! `If-None-Match`: what a client has already is not sent again (RFC 9110 §13.1.2).

use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

/// Answers 304 in place of an object whose tag the client named.
pub(crate) async fn unchanged(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || !request.headers().contains_key(IF_NONE_MATCH) {
        return next.run(request).await;
    }
    let known = request.headers().clone();
    let mut response = next.run(request).await;
    if response.status() == StatusCode::OK && has(&known, response.headers()) {
        not_again(&mut response);
    }
    response
}

/// Takes out what the client has already.
pub(crate) fn not_again(response: &mut Response) {
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.body_mut() = axum::body::Body::empty();
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().remove(CONTENT_TYPE);
}

/// Whether the client, who said what it knows, has what is about to be sent. Weak tags compare as strong ones here.
pub(crate) fn has(known: &HeaderMap, answer: &HeaderMap) -> bool {
    let Some(tag) = answer.get(ETAG).and_then(|tag| tag.to_str().ok()) else { return false };
    let texts = known.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    texts
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .any(|asked| asked == "*" || asked.strip_prefix("W/").unwrap_or(asked) == tag)
}
