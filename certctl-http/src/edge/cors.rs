//! Which pages of other origins may read answers (the Fetch standard, "CORS protocol"): none, unless configured.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The origins whose pages may read answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// None: no page of another origin.
    #[default]
    None,
    /// Any page. Keys are sent in a header that a page must know, never by the browser itself.
    Any,
    /// Pages of these, such as `https://console.example`, compared letter by letter.
    These(Vec<String>),
}

/// What any page may read: it says nothing about anybody.
const PUBLIC: [&str; 4] = ["/health", "/ready", "/api/v1/health", "/api/v1/auth/info"];

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS");
const HEADERS: HeaderValue =
    HeaderValue::from_static("Content-Type, Authorization, X-Request-ID, If-Match, If-None-Match, Idempotency-Key");
const EXPOSED: HeaderValue = HeaderValue::from_static("X-Request-ID, ETag, Retry-After, Idempotency-Replayed");
/// A day, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// Answers `OPTIONS`, and says which origin may read an answer.
pub(crate) async fn cors(State(origins): State<Arc<Origins>>, request: Request, next: Next) -> Response {
    let public = PUBLIC.contains(&request.uri().path());
    let allowed = if public { Some(HeaderValue::from_static("*")) } else { origins.allow(request.headers()) };
    let asks = request.method() == Method::OPTIONS;
    let mut response = if asks { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    if !public && matches!(*origins, Origins::These(_)) {
        // Also where the origin is not allowed: a cache must not give one origin's answer to another.
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(origin) = allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        if asks {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
    }
    response
}

impl Origins {
    fn allow(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        match self {
            Self::None => None,
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::These(known) => {
                known.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
            }
        }
    }
}
