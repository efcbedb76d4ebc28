//! The ACME server over HTTP (RFC 8555): the engine answers, this carries. The same resources stand below `/acme/profile/{profile}`, and
//! below `/acme` for the default profile.

mod answer;
mod base;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use certctl_core::enrol::acme::{Acme, Call, Directory, Problem, Resource, jws};

use crate::public::OwnForm;
use crate::request::read;
use crate::router::Api;
use answer::{Refused, Said};
use base::Urls;

/// The media type of signed messages (RFC 8555 §6.2).
const JOSE_JSON: &str = "application/jose+json";

/// Every resource.
pub(crate) fn handlers() -> Router<Api> {
    let mut router = Router::new();
    for base in ["/acme", "/acme/profile/{profile}"] {
        let at = |rest: &str| format!("{base}/{rest}");
        router = router
            .route(&at("directory"), get(directory))
            .route(&at("new-nonce"), get(nonce))
            .route(&at("renewal-info/{id}"), get(renewal_info))
            .route(&at("new-account"), signed())
            .route(&at("new-order"), signed())
            .route(&at("key-change"), signed())
            .route(&at("revoke-cert"), signed())
            .route(&at("account/{id}"), signed())
            .route(&at("account/{id}/orders"), signed())
            .route(&at("order/{id}"), signed())
            .route(&at("order/{id}/finalize"), signed())
            .route(&at("authz/{id}"), signed())
            .route(&at("challenge/{id}"), signed())
            .route(&at("cert/{id}"), signed());
    }
    router
}

/// A resource that takes signed messages, and is read by them too (RFC 8555 §6.3).
fn signed() -> MethodRouter<Api> {
    post(message).fallback(unsigned)
}

/// What the path says: the profile, where it names one, and the resource's id.
#[derive(Debug, Default, serde::Deserialize)]
struct Named {
    profile: Option<String>,
    #[serde(default)]
    id: String,
}

/// The server, its directory, and where that is.
fn door<'a>(api: &'a Api, named: &Named, urls: &Urls) -> Option<(Acme<'a>, Directory)> {
    let acme = api.engine.acme()?;
    let directory = acme.directory(named.profile.as_deref(), &urls.directory)?;
    Some((acme, directory))
}

/// As if nothing were there: which profiles there are is nobody's business.
fn nowhere() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

async fn directory(State(api): State<Api>, Path(named): Path<Named>, request: Request) -> Response {
    let urls = Urls::of(&api, &request);
    let Some((acme, directory)) = door(&api, &named, &urls) else { return nowhere() };
    // No nonce: a directory is read once, and may be kept.
    Said { directory: &directory, nonce: None, answer: acme.index(&directory) }.into_response()
}

/// 204 to GET and 200 to HEAD (RFC 8555 §7.2).
async fn nonce(State(api): State<Api>, Path(named): Path<Named>, request: Request) -> Response {
    let urls = Urls::of(&api, &request);
    match door(&api, &named, &urls) {
        Some((acme, directory)) => answer::nonce(&directory, &acme.new_nonce(), request.method()),
        None => nowhere(),
    }
}

async fn renewal_info(State(api): State<Api>, Path(named): Path<Named>, request: Request) -> Response {
    let urls = Urls::of(&api, &request);
    let Some((acme, directory)) = door(&api, &named, &urls) else { return nowhere() };
    Said { directory: &directory, nonce: None, answer: acme.renewal_info(&named.id).await }.into_response()
}

async fn message(State(api): State<Api>, Path(named): Path<Named>, request: Request) -> Response {
    let urls = Urls::of(&api, &request);
    let Some((acme, directory)) = door(&api, &named, &urls) else { return nowhere() };
    let answer = match body(&api, request).await {
        Ok((path, body)) => match resource(&path, &named.id) {
            Some(resource) => acme.call(Call { directory: &directory, resource, url: &urls.whole, body: &body }).await,
            None => Err(Problem::malformed("there is no such resource").with_status(404)),
        },
        Err(problem) => Err(problem),
    };
    let nonce = acme.nonce();
    Said { directory: &directory, nonce: Some(&nonce), answer }.into_response()
}

async fn unsigned(State(api): State<Api>, Path(named): Path<Named>, request: Request) -> Response {
    let urls = Urls::of(&api, &request);
    let Some((_, directory)) = door(&api, &named, &urls) else { return nowhere() };
    let detail = "send a signed message by POST; to read, one without a payload (RFC 8555 section 6.3)";
    let answer = Err(Problem::malformed(detail).with_status(405));
    Said { directory: &directory, nonce: None, answer }.into_response()
}

/// The path and the body of a signed message.
async fn body(api: &Api, mut request: Request) -> Result<(String, Bytes), Problem> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(JOSE_JSON) {
        return Err(Problem::malformed(format!("send {JOSE_JSON} (RFC 8555 section 6.2)")).with_status(415));
    }
    let path = request.uri().path().to_owned();
    DefaultBodyLimit::max(jws::MAX_MESSAGE).apply(&mut request);
    let body = read(request, api).await.map_err(|failure| {
        let detail = match failure.status() {
            StatusCode::PAYLOAD_TOO_LARGE => format!("the message has more than {} octets", jws::MAX_MESSAGE),
            _ => failure.detail().to_owned(),
        };
        Problem::malformed(detail).with_status(failure.status().as_u16())
    })?;
    Ok((path, body))
}

/// Which resource it is, by the segments behind the directory's.
fn resource<'a>(path: &str, id: &'a str) -> Option<Resource<'a>> {
    let mut segments = path.split('/').skip_while(|segment| *segment != "acme").skip(1);
    let mut first = segments.next()?;
    if first == "profile" {
        first = segments.nth(1)?;
    }
    Some(match (first, segments.nth(1)) {
        ("new-account", _) => Resource::NewAccount,
        ("new-order", _) => Resource::NewOrder,
        ("key-change", _) => Resource::KeyChange,
        ("revoke-cert", _) => Resource::RevokeCertificate,
        ("account", None) => Resource::Account(id),
        ("account", Some("orders")) => Resource::Orders(id),
        ("order", None) => Resource::Order(id),
        ("order", Some("finalize")) => Resource::Finalize(id),
        ("authz", _) => Resource::Authorization(id),
        ("challenge", _) => Resource::Challenge(id),
        ("cert", _) => Resource::Certificate(id),
        _ => return None,
    })
}

/// A refusal that is told in the form of the protocol.
pub(super) fn refused(problem: &Problem) -> Response {
    let mut response = Refused(problem).into_response();
    response.extensions_mut().insert(OwnForm);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_told_by_its_path() {
        for base in ["/acme", "/acme/profile/prof-acme"] {
            let of = |rest: &str| resource(&format!("{base}/{rest}"), "7");
            assert_eq!(of("new-account"), Some(Resource::NewAccount));
            assert_eq!(of("account/7"), Some(Resource::Account("7")));
            assert_eq!(of("account/7/orders"), Some(Resource::Orders("7")));
            assert_eq!(of("order/7"), Some(Resource::Order("7")));
            assert_eq!(of("order/7/finalize"), Some(Resource::Finalize("7")));
            assert_eq!(of("cert/7"), Some(Resource::Certificate("7")));
            assert_eq!(of("order/7/else"), None);
            assert_eq!(of("else"), None);
        }
    }
}
