//! Revocation lists (RFC 5280 §5), as distribution points name them.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use certctl_core::domain::{CrlScope, IssuerId, Timestamp};
use certctl_core::engine::{CrlAnswer, PublishedCrl};

use super::failed;
use crate::public::plain;
use crate::public::{http_date, unchanged_since};
use crate::router::Api;
use crate::wire::Octets;

/// Gives the revocation list of an issuer
///
/// It lists all certificates of the issuer's CA that are revoked and have not expired, except those of short-lived profiles. The
/// id of a CA may stand in place of the issuer's: of one that the issuer had before, as certificates name it. Errors are plain
/// text.
#[utoipa::path(
    get, path = "/.well-known/pki/crl/{issuer_id}", operation_id = "getDERCRL", tag = "CRL & OCSP",
    params(("issuer_id" = String, Path, description = "Which issuer, or which CA")),
    responses(
        (
            status = 200,
            description = "The list",
            content((Octets = "application/pkix-crl")),
            headers(
                ("Cache-Control" = String, description = "At most an hour, and no longer than the list is valid"),
                ("ETag" = String, description = "SHA-256 over the list"),
                ("Last-Modified" = String, description = "When it was made"),
            ),
        ),
        (status = 304, description = "The client has it already"),
        (status = 400, description = "No id", content((String = "text/plain"))),
        (status = 404, description = "There is no such issuer", content((String = "text/plain"))),
        (status = 429, description = "Too many requests from this address", content((String = "text/plain"))),
        (status = 501, description = "The issuer does not sign revocation lists", content((String = "text/plain"))),
        (status = 503, description = "None could be made yet", content((String = "text/plain"))),
    ),
)]
pub(crate) async fn crl(State(api): State<Api>, Path(issuer_id): Path<String>, headers: HeaderMap) -> Response {
    answer(&api, (&issuer_id, CrlScope::Complete), &headers).await
}

/// Gives what changed since an older revocation list of an issuer
///
/// A delta CRL (RFC 5280 §5.2.4), where the issuer's configuration asks for one: `crl_deltas`. It goes with every complete list
/// that is still valid. Errors are plain text.
#[utoipa::path(
    get, path = "/.well-known/pki/crl/{issuer_id}/delta", operation_id = "getDeltaCRL", tag = "CRL & OCSP",
    params(("issuer_id" = String, Path, description = "Which issuer, or which CA")),
    responses(
        (status = 200, description = "The list of changes", content((Octets = "application/pkix-crl"))),
        (status = 304, description = "The client has it already"),
        (status = 400, description = "No id", content((String = "text/plain"))),
        (status = 404, description = "There is no such issuer, or none of its changes", content((String = "text/plain"))),
        (status = 429, description = "Too many requests from this address", content((String = "text/plain"))),
        (status = 501, description = "The issuer does not sign revocation lists", content((String = "text/plain"))),
        (status = 503, description = "None could be made yet", content((String = "text/plain"))),
    ),
)]
pub(crate) async fn delta(State(api): State<Api>, Path(issuer_id): Path<String>, headers: HeaderMap) -> Response {
    answer(&api, (&issuer_id, CrlScope::Delta), &headers).await
}

/// Gives the revocation list of one shard of an issuer
///
/// Where the issuer's configuration has `crl_shards`, each certificate names the list of its shard, which says that it lists no
/// others (RFC 5280 §5.2.5). Errors are plain text.
#[utoipa::path(
    get, path = "/.well-known/pki/crl/{issuer_id}/shard/{shard}", operation_id = "getShardCRL", tag = "CRL & OCSP",
    params(
        ("issuer_id" = String, Path, description = "Which issuer, or which CA"),
        ("shard" = String, Path, description = "The number of the shard, from 0"),
    ),
    responses(
        (status = 200, description = "The list", content((Octets = "application/pkix-crl"))),
        (status = 304, description = "The client has it already"),
        (status = 400, description = "No id", content((String = "text/plain"))),
        (status = 404, description = "There is no such issuer, or no such shard", content((String = "text/plain"))),
        (status = 429, description = "Too many requests from this address", content((String = "text/plain"))),
        (status = 501, description = "The issuer does not sign revocation lists", content((String = "text/plain"))),
        (status = 503, description = "None could be made yet", content((String = "text/plain"))),
    ),
)]
pub(crate) async fn shard(
    State(api): State<Api>,
    Path((issuer_id, shard)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    match shard.parse() {
        Ok(shard) => answer(&api, (&issuer_id, CrlScope::Shard(shard)), &headers).await,
        Err(_) => plain(StatusCode::NOT_FOUND, "there is no such shard: shards are numbers from 0"),
    }
}

async fn answer(api: &Api, (of, scope): (&str, CrlScope), headers: &HeaderMap) -> Response {
    if let Err(error) = IssuerId::parse(of) {
        return plain(StatusCode::BAD_REQUEST, &error.to_string());
    }
    match api.engine.crl(of, scope).await {
        Ok(CrlAnswer::Found { list, now }) => found(list, now, headers),
        Ok(CrlAnswer::NoAuthority) => plain(StatusCode::NOT_FOUND, "there is no issuer and no CA with this id"),
        Ok(CrlAnswer::NoList) => plain(StatusCode::NOT_FOUND, "the CA has no such revocation list"),
        Ok(CrlAnswer::NotSigned) => {
            let text = "the issuer signs no revocation lists here; ask the CA that it orders from";
            plain(StatusCode::NOT_IMPLEMENTED, text)
        }
        Err(error) => failed(&error),
    }
}

/// The longest time that an answer is kept elsewhere, in seconds: a revocation is not known there before.
const LONGEST: u64 = 3_600;

fn found(list: Arc<PublishedCrl>, now: Timestamp, headers: &HeaderMap) -> Response {
    let kept = list.next_update.since(now).as_secs().min(LONGEST);
    let named = [
        (CONTENT_TYPE, Some(HeaderValue::from_static("application/pkix-crl"))),
        (ETAG, HeaderValue::try_from(format!("\"{}\"", list.digest)).ok()),
        (LAST_MODIFIED, http_date(list.this_update)),
        (CACHE_CONTROL, HeaderValue::try_from(format!("public, max-age={kept}")).ok()),
    ];
    // A tag that the client names goes before a moment (RFC 9110 §13.2.2), and is compared for all answers alike.
    let since = headers.get(IF_MODIFIED_SINCE).filter(|_| !headers.contains_key(IF_NONE_MATCH));
    let has_it = since.is_some_and(|since| unchanged_since(since, list.this_update));
    let mut response = if has_it {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        Response::new(Body::from(Bytes::from_owner(Der(list))))
    };
    for (name, value) in named {
        response.headers_mut().extend(value.map(|value| (name, value)));
    }
    if has_it {
        response.headers_mut().remove(CONTENT_TYPE);
    }
    response
}

/// The octets of a list that others are being sent at the same time: nobody copies them.
struct Der(Arc<PublishedCrl>);

impl AsRef<[u8]> for Der {
    fn as_ref(&self) -> &[u8] {
        &self.0.der
    }
}
