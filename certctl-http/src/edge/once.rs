//! `Idempotency-Key`: a `POST` that a client may repeat without doing twice what it does
//! (draft-ietf-httpapi-idempotency-key-header).

use std::panic::AssertUnwindSafe;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use certctl_core::Error;
use certctl_core::domain::FirstCall;
use certctl_core::engine::{Begun, Engine, NamedCall};
use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::Known;
use crate::problem::Failure;
use crate::request::{Caller, read};
use crate::router::Api;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest answer that is kept, in bytes; the limit of what a client reads, too.
const LONGEST: usize = 16 << 20;
/// What of an answer's headers belongs to the answer, rather than to the moment.
const KEPT: [HeaderName; 4] = [CONTENT_TYPE, CONTENT_DISPOSITION, ETAG, LOCATION];

/// Makes a named `POST` once; whoever sends it again is given the first answer. Calls without a good key are the route's to
/// refuse.
pub(crate) async fn once(State(api): State<Api>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    named(api, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn named(api: Api, request: Request, next: Next) -> Result<Response, Failure> {
    let (mut parts, body) = request.into_parts();
    // Whoever is not known is told that first.
    let Ok(Caller(mut principal)) = Caller::from_request_parts(&mut parts, &api).await else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let key = key(&parts.headers)?;
    let route = format!("{} {}", parts.method, parts.uri.path());
    let body = read(Request::from_parts(parts.clone(), body), &api).await?;
    // The query decides what is done as the body does.
    let whole = [parts.uri.query().unwrap_or_default().as_bytes(), b"\n", &body].concat();
    let call = NamedCall { principal: &principal, route: &route, key: &key, request: &whole };
    let first = match api.engine.begin_once(call).await? {
        Begun::Answered(kept) => return replay(&kept).ok_or_else(broken),
        Begun::First(first) => first,
    };
    // What the route does is committed together with the record of the call.
    principal.call = Some(first.clone());
    parts.extensions.insert(Known(principal));
    // A client that goes away asks again: its answer must be there, so the call does not end with the connection.
    let (tell, told) = oneshot::channel();
    let engine = api.engine.clone();
    let request = Request::from_parts(parts, Body::from(body));
    api.engine.ports().spawner.spawn(Box::pin(async move {
        let ran = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        let response = ran.unwrap_or_else(|_| {
            tracing::error!("a request panicked");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        });
        drop(tell.send(keep(&engine, first, response).await));
    }));
    Ok(told.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()))
}

/// 1 to 255 visible characters.
fn key(headers: &HeaderMap) -> Result<String, Error> {
    let mut sent = headers.get_all(KEY).iter();
    let text = sent.next().and_then(|value| value.to_str().ok()).map(str::trim).unwrap_or_default();
    let good = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !good || sent.next().is_some() {
        return Err(Error::invalid(
            "the header Idempotency-Key cannot be used; send one, of 1 to 255 visible ASCII characters, such as a UUID",
        ));
    }
    Ok(text.to_owned())
}

/// Keeps what went well. What was refused changed nothing, so the call may be made again under the same key; where something
/// was done all the same, the engine knows from the record, and keeps the key.
async fn keep(engine: &Engine, call: FirstCall, response: Response) -> Response {
    if !response.status().is_success() {
        note(engine.end_once(call, None).await);
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, LONGEST).await else {
        return broken().into_response();
    };
    let head = Head { status: parts.status.as_u16(), headers: kept(&parts.headers) };
    let answer = serde_json::to_vec(&head).ok().and_then(|head| {
        let length = u32::try_from(head.len()).ok()?;
        Some([&length.to_be_bytes()[..], &head, &body].concat())
    });
    if let Some(answer) = answer {
        note(engine.end_once(call, Some(&answer)).await);
    }
    Response::from_parts(parts, Body::from(body))
}

/// An answer that is not kept is still an answer; whoever repeats the call is told that its end is not known.
fn note(result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::warn!(%error, source = ?std::error::Error::source(&error), "the answer to a named call was not kept");
    }
}

/// A stored answer begins with this, after its length in four bytes; the body follows.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let of = |name: &HeaderName| Some((name.to_string(), headers.get(name)?.to_str().ok()?.to_owned()));
    KEPT.iter().filter_map(of).collect()
}

fn replay(kept: &[u8]) -> Option<Response> {
    let (length, rest) = kept.split_first_chunk::<4>()?;
    let (head, body) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let Head { status, headers } = serde_json::from_slice(head).ok()?;
    let mut response = Response::new(Body::from(Bytes::copy_from_slice(body)));
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Some(response)
}

fn broken() -> Failure {
    Failure::bare(StatusCode::INTERNAL_SERVER_ERROR, "")
}
