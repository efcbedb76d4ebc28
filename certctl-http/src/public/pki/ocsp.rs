//! OCSP over HTTP (RFC 6960 appendix A, RFC 5019 §5 and §6).

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use certctl_core::domain::IssuerId;
use certctl_core::ocsp::{KeptAnswer, NoStatus, OcspAnswer};
use certctl_core::pki::ocsp::{MAX_REQUEST_OCTETS, OcspError, octets_of_url};
use futures_util::FutureExt;
use futures_util::future::{Either, select};

use crate::edge::{address, has, is_over_tls, not_again, secured};
use crate::public::{http_date, plain};
use crate::request::panic_text;
use crate::router::Api;
use crate::wire::Octets;

const REQUEST: &str = "application/ocsp-request";
const RESPONSE: HeaderValue = HeaderValue::from_static("application/ocsp-response");
/// From the first byte of a body to its last.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest serial number that is asked for by itself, in digits: 20 octets (RFC 5280 §4.1.2.2).
const DIGITS: usize = 40;

/// The routes, outside of everything that is around others; `others` answers other methods.
pub(crate) fn handlers(others: &MethodRouter<Api>) -> Router<Api> {
    Router::new()
        .route("/.well-known/pki/ocsp/{issuer_id}", others.clone().post(by_post))
        // A request in base64 may hold slashes.
        .route("/.well-known/pki/ocsp/{issuer_id}/{*serial}", others.clone().get(by_path))
}

/// Tells the status of a certificate (OCSP)
///
/// Behind the issuer is a serial number in hexadecimal, 1 to 40 digits with or without colons; anything else is an OCSP request in
/// base64 (RFC 6960 appendix A.1). A request is always answered with status 200 and an OCSP response, also where it cannot be
/// read. 404 and 501 are for serial numbers alone: there is no such issuer, or it signs no status.
#[utoipa::path(
    get, path = "/.well-known/pki/ocsp/{issuer_id}/{serial}", operation_id = "handleOCSP", tag = "CRL & OCSP",
    params(
        ("issuer_id" = String, Path, description = "Whose certificate it is"),
        ("serial" = String, Path, description = "Its serial number, or an OCSP request in base64"),
    ),
    responses(
        (status = 200, description = "An OCSP response", body = Octets, content_type = "application/ocsp-response"),
        (status = 404, description = "There is no such issuer", content((String = "text/plain"))),
        (status = 501, description = "The issuer signs no status", content((String = "text/plain"))),
    ),
)]
pub(crate) async fn by_path(State(api): State<Api>, params: Params, request: Request) -> Response {
    Around::of(&api, &request).run(&api, answer_path(&api, &params)).await
}

async fn answer_path(api: &Api, params: &Params) -> Response {
    let (issuer, rest) = (find(params, "issuer_id"), find(params, "serial"));
    match (serial(rest), issuer.parse::<IssuerId>()) {
        (Some(serial), Ok(issuer)) => match api.engine.ocsp_of_serial(&issuer, &serial).await {
            Ok(answer) => answered(answer, Asked::WithUrl),
            Err(error @ NoStatus::NotSigned(_)) => plain(StatusCode::NOT_IMPLEMENTED, &error.to_string()),
            Err(error) => plain(StatusCode::NOT_FOUND, &error.to_string()),
        },
        (Some(_), Err(error)) => plain(StatusCode::NOT_FOUND, &format!("there is no such issuer: {error}")),
        (None, issuer) => {
            let Some(request) = octets_of_url(rest) else {
                tracing::debug!("an OCSP request in a URL is neither a serial number nor base64");
                return answered(api.engine.ocsp_refusal(OcspError::MalformedRequest), Asked::WithUrl);
            };
            answered(ask(api, issuer.ok(), &request).await, Asked::WithUrl)
        }
    }
}

/// Answers an OCSP request
///
/// The answer has always status 200: what is wrong is said by the OCSP response (RFC 6960 §4.2.1).
#[utoipa::path(
    post, path = "/.well-known/pki/ocsp/{issuer_id}", operation_id = "answerOCSP", tag = "CRL & OCSP",
    params(("issuer_id" = String, Path, description = "Whose certificates they are")),
    request_body(content = Octets, content_type = "application/ocsp-request"),
    responses((status = 200, description = "An OCSP response", body = Octets, content_type = "application/ocsp-response")),
)]
pub(crate) async fn by_post(State(api): State<Api>, params: Params, request: Request) -> Response {
    Around::of(&api, &request).run(&api, answer_body(&api, &params, request)).await
}

async fn answer_body(api: &Api, params: &Params, request: Request) -> Response {
    let issuer = find(params, "issuer_id").parse().ok();
    let answer = if !is_request(request.headers()) {
        tracing::debug!("an OCSP request has another content type than {REQUEST}");
        api.engine.ocsp_refusal(OcspError::MalformedRequest)
    } else if let Some(body) = body(api, request).await {
        ask(api, issuer, &body).await
    } else {
        tracing::debug!("the body of an OCSP request is too long, or did not arrive");
        api.engine.ocsp_refusal(OcspError::MalformedRequest)
    };
    answered(answer, Asked::WithBody)
}

/// What lies around an answer here, in place of the layers around other routes.
struct Around {
    over_tls: bool,
    /// What says which answers the client has.
    known: Option<HeaderMap>,
    /// The answer to whoever asks too often.
    refused: Option<Response>,
}

impl Around {
    fn of(api: &Api, request: &Request) -> Self {
        let known = request.headers().contains_key(IF_NONE_MATCH).then(|| request.headers().clone());
        Self { over_tls: is_over_tls(request), known, refused: too_often(api, request) }
    }

    /// A panic is answered like other failures, what the client has is not sent again, and every answer has the headers that all
    /// answers have.
    async fn run(self, api: &Api, answer: impl Future<Output = Response>) -> Response {
        let mut response = match self.refused {
            Some(refused) => refused,
            None => AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|panic| {
                tracing::error!(panic = panic_text(&*panic), "an OCSP request panicked");
                answered(api.engine.ocsp_refusal(OcspError::InternalError), Asked::WithBody)
            }),
        };
        if self.known.is_some_and(|known| has(&known, response.headers())) {
            not_again(&mut response);
        }
        secured(response.headers_mut(), self.over_tls);
        response
    }
}

/// The path, unless its escapes make no text.
type Params = Result<RawPathParams, RawPathParamsRejection>;

/// What no text can be is as good as none: neither an id nor a request.
fn find<'a>(params: &'a Params, name: &str) -> &'a str {
    let params = params.iter().flatten();
    params.into_iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

/// A text that cannot be an id is nobody's.
async fn ask(api: &Api, issuer: Option<IssuerId>, request: &[u8]) -> OcspAnswer {
    match issuer {
        Some(issuer) => api.engine.ocsp(&issuer, request).await,
        None => api.engine.ocsp_refusal(OcspError::Unauthorized),
    }
}

/// The octets of a serial number, if it is one.
fn serial(text: &str) -> Option<Vec<u8>> {
    let mut digits: String = text.chars().filter(|character| *character != ':').take(DIGITS + 1).collect();
    if digits.is_empty() || digits.len() > DIGITS || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    if digits.len() % 2 == 1 {
        digits.insert(0, '0');
    }
    hex::decode(digits).ok()
}

fn is_request(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(REQUEST)
}

/// The body, within the limit and in time.
async fn body(api: &Api, request: Request) -> Option<Bytes> {
    let clock = &api.engine.ports().clock;
    let late = clock.sleep_until(clock.monotonic() + TIMEOUT);
    match select(pin!(to_bytes(request.into_body(), MAX_REQUEST_OCTETS)), late).await {
        Either::Left((read, _)) => read.ok(),
        Either::Right(_) => None,
    }
}

/// How it was asked: what came in a URL may be kept by whoever stands in between.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    WithUrl,
    WithBody,
}

fn answered(answer: OcspAnswer, asked: Asked) -> Response {
    let OcspAnswer { der, kept } = answer;
    let mut response = der.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, RESPONSE);
    if let Some(kept) = kept.filter(|_| asked == Asked::WithUrl) {
        keep(headers, &kept);
    }
    response
}

/// RFC 5019 §6.2.
fn keep(headers: &mut HeaderMap, kept: &KeptAnswer) {
    let seconds = kept.lasts.as_secs();
    let said = [
        (
            CACHE_CONTROL,
            HeaderValue::try_from(format!("max-age={seconds}, public, no-transform, must-revalidate")).ok(),
        ),
        (ETAG, HeaderValue::try_from(format!("\"{}\"", hex::encode(&kept.tag))).ok()),
        (LAST_MODIFIED, http_date(kept.this_update)),
        (EXPIRES, http_date(kept.next_update)),
    ];
    headers.extend(said.into_iter().filter_map(|(name, value)| Some((name, value?))));
}

/// Counts a request against its address.
fn too_often(api: &Api, request: &Request) -> Option<Response> {
    let buckets = api.ocsp_buckets.as_ref()?;
    let wait = buckets.take(&address(request), api.engine.ports().clock.monotonic()).err()?;
    let mut response = answered(api.engine.ocsp_refusal(OcspError::TryLater), Asked::WithBody);
    let seconds = wait.as_millis().div_ceil(1_000).max(1).to_string();
    response.headers_mut().extend(HeaderValue::try_from(seconds).ok().map(|seconds| (RETRY_AFTER, seconds)));
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_told_from_a_request() {
        for (text, octets) in [
            ("1", &[1][..]),
            ("0A:ff", &[10, 255]),
            ("0", &[0]),
            (&"f".repeat(40), &[255; 20]),
            ("1:23:4", &[0x12, 0x34]),
        ] {
            assert_eq!(serial(text).as_deref(), Some(octets), "{text}");
        }
        for other in ["", ":", "0x1", "g", &"1".repeat(41), "MEUwQzBBMD8wPTAJBgUrDgMCGgUABBQ=", "1/2", "ü"] {
            assert_eq!(serial(other), None, "{other}");
        }
    }
}
