//! Answers to the http-01 challenges of CAs that this server orders from (RFC 8555 §8.3): any replica gives them, whichever the CA
//! reaches.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use certctl_core::connector::{ChallengeAnswer, ChallengeKey};

use super::plain;
use crate::router::Api;

/// The route.
pub(crate) fn routes() -> Router<Api> {
    Router::new().route("/.well-known/acme-challenge/{token}", get(answer))
}

/// Longer than any token.
const MAX_TOKEN: usize = 128;

async fn answer(State(api): State<Api>, Path(token): Path<String>) -> Response {
    // RFC 8555 §8.1. What cannot be a token is not looked for.
    let plausible = token.len() <= MAX_TOKEN && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if !plausible {
        return unknown();
    }
    match api.engine.challenge_answer(&ChallengeKey::Http01(token)).await {
        Ok(Some(ChallengeAnswer::Http01 { key_authorization, .. })) => {
            let mut response = key_authorization.into_response();
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Ok(_) => unknown(),
        Err(error) => {
            tracing::error!(error = %error, source = ?std::error::Error::source(&error), "a challenge could not be answered");
            plain(StatusCode::SERVICE_UNAVAILABLE, "try again")
        }
    }
}

fn unknown() -> Response {
    plain(StatusCode::NOT_FOUND, "there is no such challenge")
}
