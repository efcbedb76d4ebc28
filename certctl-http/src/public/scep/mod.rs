//! The SCEP server (RFC 8894 §4): messages in the query of GET or the body of POST, answers of its own media types. Everything
//! else about them is the engine's.

mod description;
pub(crate) mod get;
mod mtls;
pub(crate) mod post;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use certctl_core::engine::Engine;
use certctl_core::scep::{Answer, CaCertificates, Scep, ScepProfile};
use certctl_core::{Error, ErrorKind, Retry};

use super::trust::TrustBundle;
use super::{Quota, plain};
use crate::edge::address;
use crate::router::Api;

/// The media type of messages (RFC 8894 §4.3).
const MESSAGE: &str = "application/x-pki-message";
/// The media type of one CA certificate (§4.2.1.1).
const CA_CERTIFICATE: &str = "application/x-x509-ca-cert";
/// The media type of several (§4.2.1.2).
const CA_RA_CERTIFICATES: &str = "application/x-x509-ca-ra-cert";
const HOUR: Duration = Duration::from_secs(3_600);

/// What the paths share.
#[derive(Debug)]
pub(crate) struct Door {
    scep: Scep,
    /// Wrong challenge passwords and certificates from each address, by profile.
    failures: BTreeMap<String, Quota>,
    /// Whose client certificates count, by profile.
    clients: BTreeMap<String, TrustBundle>,
}

impl Door {
    /// `None` without a profile.
    pub(crate) fn new(
        engine: &Engine,
        profiles: &[ScepProfile],
        clients: &BTreeMap<String, TrustBundle>,
    ) -> Option<Self> {
        let failures = profiles
            .iter()
            .map(|profile| (profile.name.clone(), Quota::new(profile.failures_per_hour, HOUR)))
            .collect();
        let scep = || Scep::new(engine.clone(), profiles.iter().cloned());
        (!profiles.is_empty()).then(|| Self { scep: scep(), failures, clients: clients.clone() })
    }

    /// The profiles, each with whose client certificates count there.
    pub(crate) fn profiles(&self) -> impl Iterator<Item = (&ScepProfile, Option<&TrustBundle>)> {
        self.scep.profiles().map(|profile| (profile, self.clients.get(&profile.name)))
    }

    /// Whether there is a profile of this name.
    pub(crate) fn knows(&self, profile: &str) -> bool {
        self.failures.contains_key(profile)
    }
}

/// The paths.
pub(crate) fn handlers() -> Router<Api> {
    let methods = MethodRouter::new;
    Router::new()
        .route("/scep", methods().get(get::get).post(post::post).fallback(wrong_method))
        .route("/scep/{profile}", methods().get(get::profile_get).post(post::profile_post).fallback(wrong_method))
        .route("/scep-mtls", methods().get(mtls::by_get).post(mtls::by_post).fallback(wrong_method))
        .route("/scep-mtls/{profile}", methods().get(mtls::by_get).post(mtls::by_post).fallback(wrong_method))
}

fn no_profile() -> Response {
    plain(StatusCode::NOT_FOUND, "there is no SCEP profile at this path")
}

async fn wrong_method() -> Response {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "SCEP is GET and POST");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
    response
}

/// Who asks for what, once it is known that they may ask at all.
struct Call<'a> {
    door: &'a Door,
    profile: &'a str,
    failures: &'a Quota,
    /// The address of whoever asks.
    address: String,
    asked: Asked,
}

impl<'a> Call<'a> {
    fn read(api: &'a Api, profile: Option<&'a str>, request: &Request) -> Result<Self, Box<Response>> {
        let address = address(request);
        if let Some(buckets) = &api.buckets {
            let taken = buckets.take(&address, api.engine.ports().clock.monotonic());
            taken.map_err(|wait| Box::new(too_often("too many requests in too short a time", wait)))?;
        }
        // What clients that were made for other servers put at the end of every URL.
        let profile = profile.filter(|name| *name != "pkiclient.exe").unwrap_or(ScepProfile::DEFAULT);
        let known = api.scep.as_deref().and_then(|door| Some((door, door.failures.get(profile)?)));
        let (door, failures) = known.ok_or_else(|| Box::new(no_profile()))?;
        Ok(Self { door, profile, failures, address, asked: Asked::read(request.uri().query()) })
    }

    /// The address as logs and the audit trail have it.
    fn origin(&self) -> &str {
        self.address.trim_start_matches("address ")
    }

    fn capabilities(&self) -> Response {
        typed("text/plain", self.door.scep.capabilities(self.profile).unwrap_or_default().into_bytes())
    }

    async fn ca_certificates(&self) -> Response {
        match self.door.scep.ca_certificates(self.profile).await {
            Ok(Some(CaCertificates::One(der))) => typed(CA_CERTIFICATE, der),
            Ok(Some(CaCertificates::Several(bag))) => typed(CA_RA_CERTIFICATES, bag),
            Ok(None) => no_profile(),
            Err(error) => failed(&error),
        }
    }

    /// An attempt is taken before it is known how it ends: of many that come at once no more get through than may.
    async fn operate(&self, api: &Api, message: &[u8]) -> Response {
        let taken = match self.failures.take(&self.address, api.engine.ports().clock.monotonic()) {
            Ok(taken) => taken,
            Err(exhausted) => {
                return too_often(
                    exhausted.text("too many wrong challenge passwords from this address"),
                    exhausted.wait(),
                );
            }
        };
        let answer = self.door.scep.operate(self.profile, message, Some(self.origin())).await;
        if matches!(answer, Ok(Some(Answer::Forbidden | Answer::Message { wrong_proof: true, .. }))) {
            drop(taken);
        } else {
            taken.give_back();
        }
        match answer {
            Ok(Some(answer)) => answered(answer),
            Ok(None) => no_profile(),
            Err(error) => failed(&error),
        }
    }
}

/// What a client asks for in the query.
struct Asked {
    operation: String,
    /// Base64 in GET; absent in POST.
    message: Option<String>,
}

impl Asked {
    /// Reads the query; the first of several members of a name counts.
    fn read(query: Option<&str>) -> Self {
        let mut asked = Self { operation: String::new(), message: None };
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "operation" if asked.operation.is_empty() => asked.operation = value.into_owned(),
                "message" if asked.message.is_none() => asked.message = Some(value.into_owned()),
                _ => {}
            }
        }
        asked
    }
}

fn answered(answer: Answer) -> Response {
    match answer {
        Answer::Message { octets, .. } | Answer::Certificates(octets) => typed(MESSAGE, octets),
        Answer::Pending => {
            let wait = Duration::from_mins(1);
            after(plain(StatusCode::ACCEPTED, "somebody has to approve the request; send it again later"), wait)
        }
        Answer::Forbidden => plain(StatusCode::FORBIDDEN, "the challenge password is missing or wrong"),
        Answer::Refused(why) | Answer::Malformed(why) => plain(StatusCode::BAD_REQUEST, &why),
        _ => plain(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log has the cause"),
    }
}

/// What went wrong here is logged with its causes; the client sees no more than that it went wrong.
fn failed(error: &Error) -> Response {
    let causes: Vec<String> = std::iter::successors(std::error::Error::source(error), |cause| cause.source())
        .map(ToString::to_string)
        .collect();
    tracing::error!(%error, ?causes, operation = error.operation(), "a SCEP request failed");
    if error.kind() != ErrorKind::Unavailable {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log has the cause");
    }
    let wait = match error.retry() {
        Retry::After(wait) => wait,
        Retry::No => Duration::from_secs(1),
    };
    after(plain(StatusCode::SERVICE_UNAVAILABLE, error.message()), wait)
}

fn too_often(text: &str, wait: Duration) -> Response {
    after(plain(StatusCode::TOO_MANY_REQUESTS, text), wait)
}

fn after(mut response: Response, wait: Duration) -> Response {
    let seconds = HeaderValue::from(wait.as_secs().max(1));
    response.headers_mut().insert(RETRY_AFTER, seconds);
    response
}

fn typed(media_type: &'static str, octets: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, media_type)], octets).into_response()
}
