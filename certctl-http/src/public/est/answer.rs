//! Answers: bags of certificates, and errors as lines of text (RFC 7030 §4.2.3).

use std::time::Duration;

use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use certctl_core::domain::Chain;
use certctl_core::enrol::{Refusal, RefusalReason};
use certctl_core::pki::{cms, est};
use certctl_core::{Error, ErrorKind, Retry};

use crate::public::plain;

const TRANSFER_ENCODING: HeaderName = HeaderName::from_static("content-transfer-encoding");
pub(super) const BASE64: &str = "base64";
pub(super) const CERTS_ONLY: &str = "application/pkcs7-mime; smime-type=certs-only";

/// A body of base64, which says so. The header has no meaning in HTTP, and clients look for it (RFC 8951 §3.1).
pub(super) fn encoded(media_type: &'static str, der: &[u8]) -> Response {
    ([(CONTENT_TYPE, media_type), (TRANSFER_ENCODING, BASE64)], est::encode(der)).into_response()
}

/// The certificates of a chain (RFC 7030 §4.1.3, §4.2.3).
pub(super) fn certificates(chain: &Chain) -> Response {
    encoded(CERTS_ONLY, &cms::certs_only(chain))
}

/// A request that comes to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    text: String,
    header: Option<Box<(HeaderName, HeaderValue)>>,
    /// Why, where it says something of who asks: it is audited.
    pub(super) denied: Option<Refusal>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), header: None, denied: None }
    }

    /// Whoever asks has not proven who they are, though they tried to.
    pub(super) fn denied(status: StatusCode, text: &str) -> Self {
        Self::because(status, Refusal::new(RefusalReason::Credential, text))
    }

    /// Something of who asks stands against it.
    pub(super) fn because(status: StatusCode, refusal: Refusal) -> Self {
        let text = refusal.message.clone();
        Self { denied: Some(refusal), ..Self::new(status, text) }
    }

    /// Whether it counts against the address of whoever asks, as those do who guess.
    pub(super) fn is_guess(&self) -> bool {
        self.denied.as_ref().is_some_and(|refusal| refusal.reason == RefusalReason::Credential)
    }

    /// The same with another status, unless the server itself failed.
    pub(super) fn with_status(self, status: StatusCode) -> Self {
        if self.status.is_server_error() { self } else { Self { status, ..self } }
    }

    /// The same, with the password that is asked for (RFC 7617), unless something else is wrong.
    pub(super) fn asking_for_password(self) -> Self {
        if self.status != StatusCode::UNAUTHORIZED {
            return self;
        }
        let challenge = HeaderValue::from_static(r#"Basic realm="EST", charset="UTF-8""#);
        Self { header: Some(Box::new((WWW_AUTHENTICATE, challenge))), ..self }
    }

    pub(super) fn not_allowed(method: &'static str) -> Self {
        let text = format!("this operation is called with {method}");
        let header = Some(Box::new((ALLOW, HeaderValue::from_static(method))));
        Self { header, ..Self::new(StatusCode::METHOD_NOT_ALLOWED, text) }
    }

    /// TLS of this version is needed (RFC 9110 §15.5.22).
    pub(super) fn needs_tls(text: &str) -> Self {
        let header = Some(Box::new((UPGRADE, HeaderValue::from_static("TLS/1.3"))));
        Self { header, ..Self::new(StatusCode::UPGRADE_REQUIRED, text) }
    }

    pub(super) fn too_often(text: &str, wait: Duration) -> Self {
        Self { header: Some(Box::new(after(wait))), ..Self::new(StatusCode::TOO_MANY_REQUESTS, text) }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }
}

/// The request waits for somebody; the same is to be sent again (RFC 7030 §4.2.3).
pub(super) fn pending(text: &str, wait: Duration) -> Response {
    let mut response = plain(StatusCode::ACCEPTED, text);
    let (name, value) = after(wait);
    response.headers_mut().insert(name, value);
    response
}

/// Whole seconds, rounded up: sooner would be refused again.
fn after(wait: Duration) -> (HeaderName, HeaderValue) {
    let seconds = u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX).max(1);
    (RETRY_AFTER, HeaderValue::from(seconds))
}

impl From<Refusal> for Failure {
    fn from(Refusal { reason, message }: Refusal) -> Self {
        let status = match reason {
            RefusalReason::Malformed | RefusalReason::Names | RefusalReason::Profile => StatusCode::BAD_REQUEST,
            RefusalReason::Credential => StatusCode::UNAUTHORIZED,
            RefusalReason::Policy
            | RefusalReason::NotIssuable
            | RefusalReason::Predecessor
            | RefusalReason::Rejected => StatusCode::FORBIDDEN,
            RefusalReason::HeldByAgents
            | RefusalReason::InProgress
            | RefusalReason::KeyInUse
            | RefusalReason::Repeated => StatusCode::CONFLICT,
            RefusalReason::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            RefusalReason::Issuer => StatusCode::INTERNAL_SERVER_ERROR,
            // What is wrong with the server is its operator's to know, who finds it in the log.
            RefusalReason::Closed => return Self::from_operator(),
        };
        Self::new(status, message)
    }
}

impl Failure {
    fn from_operator() -> Self {
        let text = "the server is not set up to issue this; whoever runs it finds the reason in its log";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }
}

impl From<Error> for Failure {
    /// The engine's failures are logged here, with their causes.
    fn from(error: Error) -> Self {
        let causes: Vec<String> = std::iter::successors(std::error::Error::source(&error), |cause| cause.source())
            .map(ToString::to_string)
            .collect();
        match (error.kind(), error.retry()) {
            (ErrorKind::Unavailable, Retry::After(wait)) => {
                tracing::warn!(%error, ?causes, "an EST request has to be made again");
                Self {
                    header: Some(Box::new(after(wait))),
                    ..Self::new(StatusCode::SERVICE_UNAVAILABLE, error.message())
                }
            }
            (ErrorKind::Conflict, _) => {
                tracing::warn!(%error, ?causes, "an EST request has to be made again");
                let header = Some(Box::new(after(Duration::from_secs(1))));
                Self { header, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "the server is busy; try again") }
            }
            _ => {
                tracing::error!(%error, ?causes, operation = error.operation(), "an EST request failed");
                Self::from_operator()
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = plain(self.status, &self.text);
        response.headers_mut().extend(self.header.map(|header| *header));
        response
    }
}
