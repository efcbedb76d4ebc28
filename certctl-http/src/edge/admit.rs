//! Who asks, as far as it is known before the route, and whether they ask too often (requirements D4).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use certctl_core::domain::{Principal, Role};
use certctl_core::ports::Secret;

use crate::problem::Failure;
use crate::public::plain;
use crate::request::bearer;
use crate::router::{Api, Authentication};

/// The principal behind the request's key, found before the route.
#[derive(Clone, Debug)]
pub(crate) struct Known(pub(crate) Principal);

/// Probes of whoever keeps the server running: a busy server must not look like a dead one.
const PROBES: [&str; 3] = ["/health", "/ready", "/api/v1/health"];

/// What relying parties fetch: whoever cannot have a revocation list may take what is revoked for good, or refuse everything.
const PKI: &str = "/.well-known/pki/";

/// Counts a call against its key, or against its address where it has none that is good.
pub(crate) async fn admit(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    if PROBES.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) && request.uri().path().starts_with(PKI) {
        return match fetched_too_often(&api, &request) {
            Some(refused) => refused,
            None => next.run(request).await,
        };
    }
    let Some(buckets) = api.buckets.clone() else { return next.run(request).await };
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let presented = presented(&api, request.headers());
    let known = match presented {
        // A key that is not good is the route's to refuse; so is a store that cannot be asked.
        Some(key) => api.engine.authenticate(key.expose()).await.ok(),
        None => None,
    };
    let caller = caller(known.as_ref(), address);
    if let Err(wait) = buckets.take(&caller, api.engine.ports().clock.monotonic()) {
        let detail = "too many calls in too short a time; wait as long as Retry-After says, and call less often";
        return Failure::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).after(wait).into_response();
    }
    if let Some(principal) = known {
        request.extensions_mut().insert(Known(principal));
    }
    next.run(request).await
}

/// Counts what is fetched of a CA as requests to OCSP are counted, where they are.
fn fetched_too_often(api: &Api, request: &Request) -> Option<Response> {
    let buckets = api.ocsp_buckets.as_ref()?;
    let wait = buckets.take(&address(request), api.engine.ports().clock.monotonic()).err()?;
    let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "too many requests in too short a time");
    let seconds = u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX).max(1);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    Some(response)
}

/// The key that was sent, where keys are asked for.
fn presented(api: &Api, headers: &HeaderMap) -> Option<Secret> {
    let asked = api.options.authentication == Authentication::ApiKey;
    asked.then(|| bearer(headers).ok().flatten().map(Secret::new)).flatten()
}

/// Whose bucket it is. A key that many agents share has one per address.
fn caller(known: Option<&Principal>, address: Option<IpAddr>) -> String {
    let address = address.map_or_else(|| "unknown".to_owned(), |address| network(address).to_string());
    match known {
        Some(principal) if principal.role == Role::Agent && principal.agent.is_none() => {
            format!("key {} {address}", principal.id)
        }
        Some(principal) => format!("key {}", principal.id),
        None => format!("address {address}"),
    }
}

/// The bucket of a request that comes without a key.
pub(crate) fn address(request: &Request) -> String {
    caller(None, request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip()))
}

/// Whoever has one address of IPv6 has a whole /64 (RFC 6177 §2).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_share_a_bucket() {
        let bucket = |address: &str| caller(None, Some(address.parse().unwrap()));
        assert_eq!(bucket("2001:db8::1"), bucket("2001:db8::ffff"));
        assert_ne!(bucket("2001:db8::1"), bucket("2001:db8:0:1::1"));
        assert_ne!(bucket("192.0.2.1"), bucket("192.0.2.2"));
        assert_eq!(bucket("::ffff:192.0.2.1"), bucket("192.0.2.1"));
    }
}
