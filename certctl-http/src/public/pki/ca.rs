//! The certificate of a CA, as certificates name it (RFC 5280 §4.2.2.1, caIssuers).

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use certctl_core::domain::{Fingerprint, IssuerId};

use super::failed;
use crate::public::plain;
use crate::router::Api;
use crate::wire::Octets;

/// Gives the certificate of an issuer's CA
///
/// In DER. The id of a CA may stand in place of the issuer's: of one that the issuer had before, as certificates name it. Errors
/// are plain text.
#[utoipa::path(
    get, path = "/.well-known/pki/ca/{issuer_id}", operation_id = "getCACertificate", tag = "CRL & OCSP",
    params(("issuer_id" = String, Path, description = "Which issuer, or which CA")),
    responses(
        (status = 200, description = "The certificate", content((Octets = "application/pkix-cert"))),
        (status = 304, description = "The client has it already"),
        (status = 400, description = "No id", content((String = "text/plain"))),
        (status = 404, description = "There is no such issuer, or it has no CA here", content((String = "text/plain"))),
        (status = 429, description = "Too many requests from this address", content((String = "text/plain"))),
        (status = 503, description = "The store cannot be asked now", content((String = "text/plain"))),
    ),
)]
pub(crate) async fn certificate(State(api): State<Api>, Path(issuer_id): Path<String>) -> Response {
    if let Err(error) = IssuerId::parse(issuer_id.as_str()) {
        return plain(StatusCode::BAD_REQUEST, &error.to_string());
    }
    match api.engine.ca_certificate(&issuer_id).await {
        Ok(Some(der)) => {
            let tag = HeaderValue::try_from(format!("\"{}\"", Fingerprint::of(&der)));
            let named = [
                (CONTENT_TYPE, HeaderValue::from_static("application/pkix-cert")),
                (CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
            ];
            let mut response = (named, der).into_response();
            response.headers_mut().extend(tag.ok().map(|tag| (ETAG, tag)));
            response
        }
        Ok(None) => plain(StatusCode::NOT_FOUND, "there is no issuer and no CA with this id, or it has no CA here yet"),
        Err(error) => failed(&error),
    }
}
