//! Which CA issues (RFC 7030 §4.1).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use certctl_core::domain::Principal;
use certctl_core::enrol::CaCertificates;

use super::EstProfile;
use super::answer::{Failure, certificates};
use crate::router::Api;
use crate::wire::Octets;

/// Tells the CA certificates (EST)
///
/// No key is needed. The CA of the server's issuer first, then those above it, as base64 of a PKCS #7 file. Errors are lines of
/// text. Other servers than the default one are at `/.well-known/est/{profile}/cacerts`.
#[utoipa::path(
    get, path = "/.well-known/est/cacerts", operation_id = "estCACerts", tag = "EST",
    responses((
        status = 200, description = "The certificates", body = Octets, content_type = "application/pkcs7-mime",
        headers(("Content-Transfer-Encoding" = String, description = "`base64`")),
    )),
)]
pub(crate) async fn ca_certs(state: State<Api>, request: Request) -> Response {
    super::answer(state, request).await
}

pub(super) async fn answer(api: &Api, profile: &EstProfile) -> Result<Response, Failure> {
    let machine = Principal::machine(format!("est:{}", profile.label()));
    let asked = CaCertificates { issuer_id: profile.terms.issuer_id.clone() };
    let chain = api.engine.execute(&machine, asked).await?.ok_or_else(|| {
        let text = "the issuer of this server does not say by which CA it issues; ask whoever runs it";
        Failure::new(StatusCode::NOT_IMPLEMENTED, text)
    })?;
    Ok(certificates(&chain))
}
