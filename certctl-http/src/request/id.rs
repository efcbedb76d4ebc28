//! The id of a request: its sender's or a fresh one, in its answer, its errors and its log lines.

use std::any::Any;
use std::error::Error as StdError;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use certctl_core::ports::SecureRng;
use futures_util::FutureExt;
use tracing::Instrument;

use crate::problem::Failure;
use crate::public::OwnForm;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: what its sender calls it, or a random UUID (RFC 9562 §5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
struct RequestId(String);

impl RequestId {
    /// What the sender calls it, if that can stand in a log as it is: 1 to 128 of `A-Z a-z 0-9 . _ -`.
    fn sent(headers: &HeaderMap) -> Option<Self> {
        let id = headers.get(HEADER)?.to_str().ok()?;
        let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        (plain && (1..=128).contains(&id.len())).then(|| Self(id.to_owned()))
    }

    fn random(rng: &dyn SecureRng) -> Self {
        let mut bytes = [0_u8; 16];
        rng.fill(&mut bytes);
        let number = u128::from_be_bytes(bytes);
        // Version 4, variant 10.
        let number = number & !(0xf << 76) | (4 << 76);
        let number = number & !(0b11 << 62) | (0b10 << 62);
        let hex = format!("{number:032x}");
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default());
        Self(parts.join("-"))
    }
}

/// Runs a request: gives it an id, turns a panic into an answer, and makes a problem document of every error.
pub(crate) async fn around(State(rng): State<Arc<dyn SecureRng>>, request: Request, next: Next) -> Response {
    let id = RequestId::sent(request.headers()).unwrap_or_else(|| RequestId::random(&*rng));
    let asked = format!("{} {}", request.method(), request.uri().path());
    let span = tracing::info_span!("request", id = %id.0, asked = %asked);
    let ran = AssertUnwindSafe(next.run(request).instrument(span.clone())).catch_unwind().await;
    let _in_span = span.enter();
    let mut response = ran.unwrap_or_else(|panic| {
        tracing::error!(panic = panic_text(&*panic), "a request panicked");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    });
    let has_own_form = response.extensions_mut().remove::<OwnForm>().is_some();
    if !has_own_form && (response.status().is_client_error() || response.status().is_server_error()) {
        let failure = response.extensions_mut().remove::<Failure>();
        let failure = failure.unwrap_or_else(|| Failure::bare(response.status(), &asked));
        log(&failure);
        response = failure.render(response, &id.0);
    }
    if let Ok(value) = HeaderValue::try_from(&id.0) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// Errors are logged here and nowhere else: once, with their causes.
fn log(failure: &Failure) {
    let Some(error) = failure.cause() else { return };
    let causes: Vec<String> =
        std::iter::successors(error.source(), |cause| StdError::source(*cause)).map(ToString::to_string).collect();
    if failure.status().is_server_error() {
        tracing::error!(status = failure.status().as_u16(), operation = error.operation(), %error, ?causes, "a request failed");
    } else {
        tracing::debug!(status = failure.status().as_u16(), operation = error.operation(), %error, ?causes, "a request was refused");
    }
}

/// What a panic says.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ones;
    impl SecureRng for Ones {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xff);
        }
    }

    #[tokio::test]
    async fn a_panic_is_answered() {
        async fn broken() -> &'static str {
            panic!("planted")
        }
        let rng: Arc<dyn SecureRng> = Arc::new(Ones);
        let router = axum::Router::new()
            .route("/", axum::routing::get(broken))
            .layer(axum::middleware::from_fn_with_state(rng, around));
        let request = Request::get("/").body(axum::body::Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        let problem: crate::wire::Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!((problem.code.as_ref(), problem.request_id.len()), ("internal", 36));
        assert!(!problem.detail.contains("planted"));
    }

    #[tokio::test]
    async fn an_error_in_the_form_of_its_protocol_stays_as_it_is() {
        async fn refused() -> Response {
            crate::public::plain(StatusCode::NOT_IMPLEMENTED, "not here")
        }
        let rng: Arc<dyn SecureRng> = Arc::new(Ones);
        let router = axum::Router::new()
            .route("/", axum::routing::get(refused))
            .layer(axum::middleware::from_fn_with_state(rng, around));
        let request = Request::get("/").body(axum::body::Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        assert!(response.headers().contains_key("x-request-id"));
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        assert_eq!(&body[..], b"not here\n");
    }

    #[test]
    fn an_id_is_a_version_4_uuid() {
        assert_eq!(RequestId::random(&Ones).0, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
