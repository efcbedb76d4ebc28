//! The EST server (RFC 7030, RFC 8951): machines enrol and renew with nothing but HTTPS and a request.
//!
//! All paths are one route, because a label may stand before the operation. What is refused is a line of text (RFC 7030 §4.2.3);
//! who was refused for who they are is in the audit trail, the rest in the log.

mod answer;
pub(crate) mod ca_certs;
mod client;
pub(crate) mod csr_attributes;
pub(crate) mod enroll;
pub(crate) mod keygen;
mod profile;
mod trust;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

pub use profile::{EstAccess, EstProfile, EstTrust};

use self::answer::Failure;
use super::Quota;
use super::trust::TrustBundle;
use crate::edge::address;
use crate::request::read;
use crate::router::Api;

pub(crate) const PREFIX: &str = "/.well-known/est/";
/// The same servers, as far as client certificates count at them: enrolling takes one in any case.
pub(crate) const MTLS_PREFIX: &str = "/.well-known/est-mtls/";
/// Wrong passwords and certificates from one address in an hour; after that right ones are refused as well.
const FAILURES: u32 = 10;
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// What the servers share.
#[derive(Debug)]
pub(crate) struct Est {
    profiles: BTreeMap<String, Served>,
    failures: Quota,
}

/// One server.
#[derive(Debug)]
struct Served {
    profile: EstProfile,
    enrolments: Option<Quota>,
}

impl Est {
    pub(crate) fn new(profiles: &[EstProfile]) -> Self {
        let served = |profile: &EstProfile| {
            let enrolments = profile.per_day.map(|most| Quota::new(most, DAY));
            (profile.name.clone().unwrap_or_default(), Served { profile: profile.clone(), enrolments })
        };
        Self { profiles: profiles.iter().map(served).collect(), failures: Quota::new(FAILURES, HOUR) }
    }

    /// The servers, the one without a name first.
    pub(crate) fn profiles(&self) -> impl Iterator<Item = &EstProfile> {
        self.profiles.values().map(|served| &served.profile)
    }

    /// Which CAs count at a server, where it names some.
    pub(crate) fn bundles(&self) -> impl Iterator<Item = (&str, &TrustBundle)> {
        self.profiles().filter_map(|profile| match profile.access.trust() {
            Some(EstTrust::Bundle(bundle)) => Some((profile.label(), bundle)),
            Some(EstTrust::Issuer) | None => None,
        })
    }
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    CaCerts,
    CsrAttrs,
    ServerKeygen,
    SimpleEnroll,
    SimpleReenroll,
}

impl Operation {
    pub(crate) const ALL: [Self; 5] =
        [Self::CaCerts, Self::CsrAttrs, Self::ServerKeygen, Self::SimpleEnroll, Self::SimpleReenroll];

    /// Its path component (RFC 7030 §3.2.2).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CaCerts => "cacerts",
            Self::CsrAttrs => "csrattrs",
            Self::ServerKeygen => "serverkeygen",
            Self::SimpleEnroll => "simpleenroll",
            Self::SimpleReenroll => "simplereenroll",
        }
    }

    const fn method(self) -> Method {
        match self {
            Self::CaCerts | Self::CsrAttrs => Method::GET,
            Self::ServerKeygen | Self::SimpleEnroll | Self::SimpleReenroll => Method::POST,
        }
    }
}

/// The route of all servers.
pub(crate) fn handlers() -> Router<Api> {
    Router::new().route("/.well-known/est/{*path}", any(answer)).route("/.well-known/est-mtls/{*path}", any(answer))
}

/// Answers a request, whatever its path is.
pub(crate) async fn answer(State(api): State<Api>, request: Request) -> Response {
    let asked = format!("{} {}", request.method(), request.uri().path());
    let bucket = address(&request);
    admit(&api, &bucket, request).await.unwrap_or_else(|failure| {
        let (address, status, why) = (plain_address(&bucket), failure.status().as_u16(), failure.text());
        // Whoever comes too often must not fill the log as well.
        if failure.status() == StatusCode::TOO_MANY_REQUESTS {
            tracing::debug!(asked, address, status, why, "an EST request was refused");
        } else {
            tracing::info!(asked, address, status, why, "an EST request was refused");
        }
        failure.into_response()
    })
}

/// The address of a bucket, as people write it.
fn plain_address(bucket: &str) -> &str {
    bucket.trim_start_matches("address ")
}

async fn admit(api: &Api, bucket: &str, request: Request) -> Result<Response, Failure> {
    if let Some(buckets) = &api.buckets {
        let taken = buckets.take(bucket, api.engine.ports().clock.monotonic());
        taken.map_err(|wait| Failure::too_often("too many requests in too short a time", wait))?;
    }
    // Read before anybody is refused for what they ask: over HTTP/2 clients take an answer to what nobody reads for a broken
    // stream.
    let (parts, body) = request.into_parts();
    let body = read(Request::from_parts(parts.clone(), body), api).await;
    let body = body.map_err(|failure| Failure::new(failure.status(), failure.detail()))?;
    dispatch(api, Request::from_parts(parts, body.into())).await
}

async fn dispatch(api: &Api, request: Request) -> Result<Response, Failure> {
    let (way, label, operation) = asked_for(request.uri().path())?;
    if request.method() != operation.method()
        && !(request.method() == Method::HEAD && operation.method() == Method::GET)
    {
        let method = if operation.method() == Method::GET { "GET" } else { "POST" };
        return Err(Failure::not_allowed(method));
    }
    let served = api.est.profiles.get(label).filter(|served| way.leads_to(&served.profile)).ok_or_else(no_server)?;
    if operation == Operation::ServerKeygen && !served.profile.server_keygen {
        let text = "this EST server makes no keys; make one and use simpleenroll";
        return Err(Failure::new(StatusCode::NOT_FOUND, text));
    }
    match operation {
        Operation::CaCerts => ca_certs::answer(api, &served.profile).await,
        Operation::CsrAttrs => csr_attributes::answer(api, &served.profile).await,
        Operation::ServerKeygen => keygen::answer(api, served, (way, request)).await,
        Operation::SimpleEnroll | Operation::SimpleReenroll => {
            enroll::answer(api, served, (way, operation, request)).await
        }
    }
}

/// By which of its paths a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// As it is configured.
    Plain,
    /// Enrolling takes a client certificate, whatever else would do.
    Mtls,
}

impl Way {
    fn leads_to(self, profile: &EstProfile) -> bool {
        self == Self::Plain || profile.access.trust().is_some()
    }
}

/// The way, the label of a server, empty for the default one, and the operation that a path names.
fn asked_for(path: &str) -> Result<(Way, &str, Operation), Failure> {
    let mtls = || path.strip_prefix(MTLS_PREFIX).map(|rest| (Way::Mtls, rest));
    let plain = path.strip_prefix(PREFIX).map(|rest| (Way::Plain, rest));
    let (way, rest) = plain.or_else(mtls).ok_or_else(no_server)?;
    let (label, name) = rest.split_once('/').unwrap_or(("", rest));
    let known = "there are cacerts, csrattrs, simpleenroll, simplereenroll and, where it is enabled, serverkeygen";
    let operation = Operation::ALL.into_iter().find(|operation| operation.name() == name);
    Ok((way, label, operation.ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, known))?))
}

fn no_server() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "there is no EST server at this path")
}
