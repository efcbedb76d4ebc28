//! From the engine's errors, and from what goes wrong before it is asked, to problem details (RFC 9457).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use certctl_core::{Error, ErrorKind, FieldError, Retry};

use crate::wire;

/// The media type of problem details (RFC 9457 §3).
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// A request that was refused or failed. It travels in the response's extensions, until the request's id is known.
#[derive(Clone, Debug)]
pub(crate) struct Failure(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    detail: String,
    fields: Vec<FieldError>,
    retry_after: Option<Duration>,
    /// What depends on an agent that is not retired for it.
    counts: Option<wire::AgentDependencyCounts>,
    cause: Option<Error>,
}

impl Failure {
    /// A failure that no engine knows of.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let (detail, fields) = (detail.into(), Vec::new());
        Self(Arc::new(Parts { status, code, detail, fields, retry_after: None, counts: None, cause: None }))
    }

    /// The same, with the time after which the call may be made again.
    pub(crate) fn after(self, wait: Duration) -> Self {
        let Parts { status, code, fields, counts, cause, detail, .. } = &*self.0;
        let (detail, fields) = (detail.clone(), fields.clone());
        Self(Arc::new(Parts {
            status: *status,
            code,
            detail,
            fields,
            retry_after: Some(wait),
            counts: *counts,
            cause: cause.clone(),
        }))
    }

    /// An agent that is not retired, because so much depends on it.
    pub(crate) fn blocked(counts: wire::AgentDependencyCounts) -> Self {
        let wire::AgentDependencyCounts { active_targets, active_certificates, pending_jobs } = counts;
        let detail = format!(
            "the agent has {active_targets} targets, {active_certificates} certificates and {pending_jobs} open jobs; move \
             them to another agent, or retire them with it (force=true and a reason)"
        );
        let (status, code, fields) = (StatusCode::CONFLICT, wire::BlockedByDependencies::CODE, Vec::new());
        Self(Arc::new(Parts { status, code, detail, fields, retry_after: None, counts: Some(counts), cause: None }))
    }

    /// What an answer that carries no failure comes to: the router's own, such as 404 and 405.
    pub(crate) fn bare(status: StatusCode, request: &str) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::new(status, "not_found", format!("there is nothing at {request}")),
            StatusCode::METHOD_NOT_ALLOWED => {
                let detail = format!("{request} is not possible; the header Allow has the methods that are");
                Self::new(status, "method_not_allowed", detail)
            }
            StatusCode::INTERNAL_SERVER_ERROR => {
                Self::new(status, "internal", "the server failed; its log has the cause")
            }
            _ => Self::new(status, "refused", format!("{request} was refused")),
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }
    /// What went wrong, for the client.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }
    /// The engine's error, for the log.
    pub(crate) fn cause(&self) -> Option<&Error> {
        self.0.cause.as_ref()
    }

    /// The document, for a request of this id.
    fn document(&self, request_id: &str) -> wire::Problem {
        let Parts { status, code, detail, fields, counts, .. } = &*self.0;
        let title = status.canonical_reason().unwrap_or("Error");
        // The contract has a stable word here, where others repeat the title.
        let error = if counts.is_some() { *code } else { title };
        let errors = fields.iter().map(|field| wire::FieldProblem {
            pointer: field.pointer.clone(),
            code: field.code.into(),
            detail: field.detail.clone(),
        });
        wire::Problem {
            kind: "about:blank".into(),
            title: title.into(),
            status: status.as_u16(),
            detail: detail.clone(),
            code: (*code).into(),
            errors: errors.collect(),
            error: error.into(),
            message: detail.clone(),
            request_id: request_id.into(),
            counts: *counts,
        }
    }

    /// Turns a response into this failure; its other headers, such as `Allow`, stay.
    pub(crate) fn render(&self, mut response: Response, request_id: &str) -> Response {
        *response.status_mut() = self.0.status;
        let headers = response.headers_mut();
        headers.remove(axum::http::header::CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.0.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer realm="certctl""#));
        }
        let must_say = matches!(self.0.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        if let Some(after) = self.0.retry_after.or(must_say.then_some(Duration::from_secs(1))) {
            // Whole seconds, rounded up: sooner would be refused again.
            let seconds = after.as_millis().div_ceil(1_000).max(1).to_string();
            headers.extend(HeaderValue::try_from(seconds).ok().map(|seconds| (RETRY_AFTER, seconds)));
        }
        let body = serde_json::to_vec(&self.document(request_id)).unwrap_or_default();
        *response.body_mut() = Body::from(body);
        response
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            ErrorKind::Gone => StatusCode::GONE,
            ErrorKind::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let retry_after = match error.retry() {
            Retry::After(after) if status == StatusCode::SERVICE_UNAVAILABLE => Some(after),
            _ => None,
        };
        Self(Arc::new(Parts {
            status,
            code: error.code(),
            detail: error.message().into(),
            fields: error.fields().to_vec(),
            retry_after,
            counts: None,
            cause: Some(error),
        }))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.render(Response::new(Body::empty()), "");
        response.extensions_mut().insert(self);
        response
    }
}
