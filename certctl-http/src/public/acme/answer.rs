//! Answers as HTTP carries them.

use axum::body::Body as HttpBody;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LINK, LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use certctl_core::enrol::acme::{Answer, Body, Directory, Problem};

use super::refused;
use crate::problem::PROBLEM_JSON;

const REPLAY_NONCE: HeaderName = HeaderName::from_static("replay-nonce");
const PEM_CHAIN: &str = "application/pem-certificate-chain";

/// What the engine said.
pub(super) struct Said<'a> {
    pub(super) directory: &'a Directory,
    /// For the client's next message.
    pub(super) nonce: Option<&'a str>,
    pub(super) answer: Result<Answer, Problem>,
}

impl IntoResponse for Said<'_> {
    fn into_response(self) -> Response {
        let mut response = match self.answer {
            Ok(answer) => response(answer),
            Err(problem) => {
                log(&problem);
                refused(&problem)
            }
        };
        if let Some(nonce) = self.nonce {
            set(&mut response, REPLAY_NONCE, nonce);
        }
        link(&mut response, &self.directory.index(), "index");
        response
    }
}

fn response(answer: Answer) -> Response {
    let (kind, body) = match answer.body {
        Body::Empty => (None, HttpBody::empty()),
        Body::Json(value) => (Some("application/json"), HttpBody::from(value.to_string())),
        Body::Pem(text) => (Some(PEM_CHAIN), HttpBody::from(text)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    if let Some(kind) = kind {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    if let Some(location) = &answer.location {
        set(&mut response, LOCATION, location);
    }
    if let Some(after) = answer.retry_after {
        set(&mut response, RETRY_AFTER, &after.as_secs().max(1).to_string());
    }
    for one in &answer.links {
        link(&mut response, &one.url, one.relation);
    }
    response
}

/// A problem document.
pub(super) struct Refused<'a>(pub(super) &'a Problem);

impl IntoResponse for Refused<'_> {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let mut response = Response::new(HttpBody::from(problem.document().to_string()));
        *response.status_mut() = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(location) = &problem.location {
            set(&mut response, LOCATION, location);
        }
        let must_say = matches!(problem.status(), 429 | 503).then_some(std::time::Duration::from_secs(1));
        if let Some(after) = problem.retry_after.or(must_say) {
            set(&mut response, RETRY_AFTER, &after.as_millis().div_ceil(1_000).max(1).to_string());
        }
        response
    }
}

/// A nonce alone.
pub(super) fn nonce(directory: &Directory, nonce: &str, method: &Method) -> Response {
    let mut response = Response::new(HttpBody::empty());
    *response.status_mut() = if method == Method::HEAD { StatusCode::OK } else { StatusCode::NO_CONTENT };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set(&mut response, REPLAY_NONCE, nonce);
    link(&mut response, &directory.index(), "index");
    response
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn link(response: &mut Response, url: &str, relation: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("<{url}>;rel=\"{relation}\"")) {
        response.headers_mut().append(LINK, value);
    }
}

/// Once, with its cause.
fn log(problem: &Problem) {
    let Some(error) = &problem.cause else {
        tracing::debug!(kind = problem.kind.name(), detail = problem.detail, "an ACME request was refused");
        return;
    };
    let source = std::error::Error::source(error);
    if problem.status() >= 500 {
        tracing::error!(operation = error.operation(), %error, ?source, "an ACME request failed");
    } else {
        tracing::debug!(operation = error.operation(), %error, ?source, "an ACME request was refused");
    }
}
