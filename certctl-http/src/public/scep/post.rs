//! SCEP by POST: messages in the body.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::Call;
use super::description::ToPost;
use crate::public::plain;
use crate::request::read;
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
    responses(ToPost),
)]
pub(crate) async fn post(State(api): State<Api>, request: Request) -> Response {
    let call = Call::read(&api, None, &request);
    answer(&api, call, request).await
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
    responses(ToPost),
)]
pub(crate) async fn profile_post(State(api): State<Api>, Path(profile): Path<String>, request: Request) -> Response {
    let call = Call::read(&api, Some(&profile), &request);
    answer(&api, call, request).await
}

pub(super) async fn answer(api: &Api, call: Result<Call<'_>, Box<Response>>, request: Request) -> Response {
    let call = match call {
        Ok(call) => call,
        Err(refused) => return *refused,
    };
    if call.asked.operation != "PKIOperation" {
        return plain(StatusCode::BAD_REQUEST, "by POST there is the operation PKIOperation alone");
    }
    match read(request, api).await {
        Ok(message) => call.operate(api, &message).await,
        Err(failure) => plain(failure.status(), failure.detail()),
    }
}
