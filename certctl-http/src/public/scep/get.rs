//! SCEP by GET: what the server can do, its certificates, and messages in the query.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::Call;
use super::description::ToGet;
use crate::public::plain;
use crate::router::Api;

/// Speaks SCEP (RFC 8894): capabilities, CA certificates, messages in base64
///
/// No key is needed. The profile `default` is here, others are at `/scep/{profile}`. What fails is answered in the protocol, or as
/// a line of text where it cannot be. The same is at `/scep-mtls` and `/scep-mtls/{profile}` for those who also show a TLS client
/// certificate that the profile trusts, where it trusts any.
#[utoipa::path(
    get, path = "/scep", operation_id = "scepGet", tag = "SCEP",
    params(
        ("operation" = String, Query, description = "`GetCACaps`, `GetCACert` or `PKIOperation`"),
        ("message" = Option<String>, Query, description = "With `PKIOperation`: the message in base64")
    ),
    responses(ToGet),
)]
pub(crate) async fn get(State(api): State<Api>, request: Request) -> Response {
    let call = Call::read(&api, None, &request);
    // A request must not be held while somebody waits: its body is no thing for two threads.
    drop(request);
    answer(&api, call).await
}

/// Speaks SCEP in a profile
///
/// The same as `/scep`, in another profile than `default`.
#[utoipa::path(
    get, path = "/scep/{profile}", operation_id = "scepProfileGet", tag = "SCEP",
    params(
        ("profile" = String, Path, description = "The profile"),
        ("operation" = String, Query, description = "`GetCACaps`, `GetCACert` or `PKIOperation`"),
        ("message" = Option<String>, Query, description = "With `PKIOperation`: the message in base64")
    ),
    responses(ToGet),
)]
pub(crate) async fn profile_get(State(api): State<Api>, Path(profile): Path<String>, request: Request) -> Response {
    let call = Call::read(&api, Some(&profile), &request);
    drop(request);
    answer(&api, call).await
}

pub(super) async fn answer(api: &Api, call: Result<Call<'_>, Box<Response>>) -> Response {
    let call = match call {
        Ok(call) => call,
        Err(refused) => return *refused,
    };
    match (call.asked.operation.as_str(), &call.asked.message) {
        ("GetCACaps", _) => call.capabilities(),
        ("GetCACert", _) => call.ca_certificates().await,
        // Clients that do not escape the `+` of base64 mean it nevertheless.
        ("PKIOperation", Some(message)) => call.operate(api, message.replace(' ', "+").as_bytes()).await,
        ("PKIOperation", None) => plain(StatusCode::BAD_REQUEST, "PKIOperation needs a message"),
        _ => plain(StatusCode::BAD_REQUEST, "the operation is not one of GetCACaps, GetCACert, PKIOperation"),
    }
}
