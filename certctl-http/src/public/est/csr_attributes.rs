//! What requests should hold (RFC 7030 §4.5).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use certctl_core::domain::Principal;
use certctl_core::enrol::Door;
use certctl_core::pki::est;

use super::EstProfile;
use super::answer::{Failure, encoded};
use crate::router::Api;
use crate::wire::Octets;

/// Tells what requests should hold (EST)
///
/// No key is needed. The keys that the profile allows, and whether requests must be bound to their connection, as base64 of
/// CsrAttrs (RFC 7030 §4.5.2). 204 where nothing is asked. Errors are lines of text.
#[utoipa::path(
    get, path = "/.well-known/est/csrattrs", operation_id = "estCSRAttrs", tag = "EST",
    responses(
        (
            status = 200, description = "What is asked", body = Octets, content_type = "application/csrattrs",
            headers(("Content-Transfer-Encoding" = String, description = "`base64`")),
        ),
        (status = 204, description = "Nothing is asked"),
    ),
)]
pub(crate) async fn csr_attributes(state: State<Api>, request: Request) -> Response {
    super::answer(state, request).await
}

pub(super) async fn answer(api: &Api, profile: &EstProfile) -> Result<Response, Failure> {
    let machine = Principal::machine(format!("est:{}", profile.label()));
    let terms = &profile.terms;
    let door = Door { issuer_id: terms.issuer_id.clone(), profile_id: terms.profile_id.clone() };
    let door = api.engine.execute(&machine, door).await?;
    Ok(match est::csr_attributes(&door.profile, profile.channel_binding_required) {
        Some(attributes) => encoded("application/csrattrs", &attributes),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}
