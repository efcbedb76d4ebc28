//! SCEP by POST: messages in the body.

use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::Call;
use crate::public::plain;
use crate::router::Api;
use crate::wire::Octets;

/// Speaks SCEP (RFC 8894): messages
///
/// No key is needed, and the content type is not looked at. Also takes the lightweight form: a CSR with a challenge password in DER,
/// base64 or PEM, or in clear in a signed message, which is answered with the certificates alone.
#[utoipa::path(
    post, path = "/scep", operation_id = "scepPost", tag = "SCEP",
    params(("operation" = String, Query, description = "`PKIOperation`")),
    request_body(content = Octets, content_type = "application/x-pki-message"),
    responses(
        (
            status = 200,
            description = "The answer to the message",
            content((Octets = "application/x-pki-message"))
        ),
        (status = 202, description = "Somebody has to approve first (lightweight form)", body = String, content_type = "text/plain"),
        (status = 400, description = "The request cannot be read, or is refused (lightweight form)", body = String, content_type = "text/plain"),
        (status = 403, description = "The challenge password is missing or wrong (lightweight form)", body = String, content_type = "text/plain"),
        (status = 404, description = "There is no such profile", body = String, content_type = "text/plain"),
        (status = 413, description = "The body is too long", body = String, content_type = "text/plain"),
        (status = 429, description = "Too many requests, or too many wrong challenge passwords", body = String, content_type = "text/plain"),
        (status = 500, description = "The server failed", body = String, content_type = "text/plain"),
        (status = 503, description = "The server cannot work now", body = String, content_type = "text/plain"),
    ),
)]
pub(crate) async fn post(State(api): State<Api>, request: Request) -> Response {
    answer(&api, None, request).await
}

/// Speaks SCEP in a profile: messages
///
/// The same as `/scep`, in another profile than `default`.
#[utoipa::path(
    post, path = "/scep/{profile}", operation_id = "scepProfilePost", tag = "SCEP",
    params(
        ("profile" = String, Path, description = "The profile"),
        ("operation" = String, Query, description = "`PKIOperation`")
    ),
    request_body(content = Octets, content_type = "application/x-pki-message"),
    responses(
        (
            status = 200,
            description = "The answer to the message",
            content((Octets = "application/x-pki-message"))
        ),
        (status = 202, description = "Somebody has to approve first (lightweight form)", body = String, content_type = "text/plain"),
        (status = 400, description = "The request cannot be read, or is refused (lightweight form)", body = String, content_type = "text/plain"),
        (status = 403, description = "The challenge password is missing or wrong (lightweight form)", body = String, content_type = "text/plain"),
        (status = 404, description = "There is no such profile", body = String, content_type = "text/plain"),
        (status = 413, description = "The body is too long", body = String, content_type = "text/plain"),
        (status = 429, description = "Too many requests, or too many wrong challenge passwords", body = String, content_type = "text/plain"),
        (status = 500, description = "The server failed", body = String, content_type = "text/plain"),
        (status = 503, description = "The server cannot work now", body = String, content_type = "text/plain"),
    ),
)]
pub(crate) async fn profile_post(State(api): State<Api>, Path(profile): Path<String>, request: Request) -> Response {
    answer(&api, Some(&profile), request).await
}

async fn answer(api: &Api, profile: Option<&str>, request: Request) -> Response {
    let call = match Call::read(api, profile, &request) {
        Ok(call) => call,
        Err(refused) => return *refused,
    };
    if call.asked.operation != "PKIOperation" {
        return plain(StatusCode::BAD_REQUEST, "by POST there is the operation PKIOperation alone");
    }
    match Bytes::from_request(request, &()).await {
        Ok(message) => call.operate(api, &message).await,
        Err(rejected) if rejected.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            plain(StatusCode::PAYLOAD_TOO_LARGE, "the message is too long")
        }
        Err(_) => plain(StatusCode::BAD_REQUEST, "the message did not arrive"),
    }
}
