//! What relying parties ask of a CA (RFC 5280): its revocation lists, its certificate, and the status of what it issued (RFC 6960).

pub(crate) mod ca;
pub(crate) mod crl;
pub(crate) mod ocsp;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use certctl_core::{Error, ErrorKind};

use super::plain;

/// An error of the engine, as far as whoever asks needs to know it.
fn failed(error: &Error) -> Response {
    let source = std::error::Error::source(error);
    if error.kind() == ErrorKind::Unavailable {
        tracing::warn!(%error, ?source, "what is asked of a CA cannot be answered now");
        let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, error.message());
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        return response;
    }
    tracing::error!(%error, ?source, "what is asked of a CA cannot be answered");
    plain(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log has the cause")
}
