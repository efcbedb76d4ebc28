//! Errors in the form of the protocol that was spoken, where the rest of the API answers problem documents.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// Marks an answer whose error has the form of its protocol already: put it into the response's extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnForm;

/// An error for protocols that have none but the status: a line of text for whoever looks.
pub(crate) fn plain(status: StatusCode, text: &str) -> Response {
    let mut response = (status, format!("{text}\n")).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.extensions_mut().insert(OwnForm);
    response
}
