//! What lies around every route: limits of rate, other origins, headers, request ids.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use certctl_core::enrol::acme::AcmeAuthMode;
use certctl_http::{Options, Origins, RateLimit};
use futures_util::FutureExt;
use serde_json::json;

use crate::acme::serving;
use crate::est::by_password;
use crate::scep::profile;
use crate::world::{ADMIN, Answer, VIEWER, World, check_problem};

const TEAMS: &str = "/api/v1/teams";

async fn limited() -> World {
    let rate_limit = Some(RateLimit { per_second: 2, burst: 5 });
    World::with(Options { rate_limit, ..Options::default() }).await
}

async fn from(world: &World, address: &str, path: &str, key: &str) -> Answer {
    let mut request = Request::get(path);
    if !key.is_empty() {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>(format!("{address}:4711").parse().unwrap()));
    world.send(request).await
}

#[tokio::test]
async fn a_key_that_calls_too_often_is_told_when_to_come_back() {
    let world = limited().await;
    for _ in 0..5 {
        from(&world, "192.0.2.1", TEAMS, ADMIN).await.expect(200);
    }
    let answer = from(&world, "192.0.2.1", TEAMS, ADMIN).await;
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(check_problem(&answer, 429)["code"], "rate_limited");
    // Its bucket goes with the key, not with the address.
    assert_eq!(from(&world, "192.0.2.2", TEAMS, ADMIN).await.problem(429), "rate_limited");
    from(&world, "192.0.2.1", TEAMS, VIEWER).await.expect(200);
    world.fakes.clock.advance(Duration::from_millis(500));
    from(&world, "192.0.2.1", TEAMS, ADMIN).await.expect(200);
    assert_eq!(from(&world, "192.0.2.1", TEAMS, ADMIN).await.problem(429), "rate_limited");
}

#[tokio::test]
async fn whoever_has_no_good_key_is_counted_by_address() {
    let world = limited().await;
    for number in 0..5 {
        assert_eq!(from(&world, "192.0.2.1", TEAMS, &format!("guess-{number}")).await.problem(401), "unauthenticated");
    }
    assert_eq!(from(&world, "192.0.2.1", TEAMS, "guess-6").await.problem(429), "rate_limited");
    assert_eq!(from(&world, "192.0.2.1", "/api/v1/auth/info", "").await.problem(429), "rate_limited");
    // Neither a good key nor another address pays for it, and probes never do.
    from(&world, "192.0.2.1", TEAMS, ADMIN).await.expect(200);
    from(&world, "192.0.2.2", "/api/v1/auth/info", "").await.expect(200);
    for _ in 0..20 {
        from(&world, "192.0.2.1", "/health", "").await.expect(200);
        from(&world, "192.0.2.1", "/ready", "").await.expect(200);
    }
}

#[tokio::test]
async fn what_relying_parties_fetch_is_counted_by_itself_and_only_where_that_is_asked_for() {
    let lists = ["/.well-known/pki/crl/iss-local", "/.well-known/pki/ca/iss-local", "/.well-known/pki/crl/none"];
    let world = limited().await;
    for _ in 0..10 {
        for path in lists {
            assert_ne!(from(&world, "192.0.2.1", path, "").await.status.as_u16(), 429, "{path}");
        }
    }
    // Neither pays for the other.
    for _ in 0..5 {
        from(&world, "192.0.2.1", "/api/v1/auth/info", "").await.expect(200);
    }
    from(&world, "192.0.2.1", "/api/v1/auth/info", "").await.problem(429);
    assert_ne!(from(&world, "192.0.2.1", lists[0], "").await.status.as_u16(), 429);
    // Fetching is by GET; whoever calls otherwise is counted as anywhere.
    let mut other = Request::post(lists[0]).header("authorization", "Bearer a-guess").body(Body::empty()).unwrap();
    other.extensions_mut().insert(ConnectInfo::<SocketAddr>("192.0.2.1:4711".parse().unwrap()));
    assert_eq!(world.send(other).await.status.as_u16(), 429);

    let world = World::with(Options { ocsp_per_minute: Some(3), ..Options::default() }).await;
    for path in lists {
        assert_ne!(from(&world, "192.0.2.1", path, "").await.status.as_u16(), 429, "{path}");
    }
    let late = from(&world, "192.0.2.1", lists[0], ADMIN).await;
    assert_eq!((late.status.as_u16(), late.header("content-type")), (429, "text/plain; charset=utf-8"));
    assert_eq!(late.header("retry-after"), "20");
    assert_ne!(from(&world, "192.0.2.2", lists[0], "").await.status.as_u16(), 429);
    from(&world, "192.0.2.1", "/api/v1/auth/info", "").await.expect(200);
}

#[tokio::test]
async fn nobody_is_limited_unless_asked_for() {
    let world = World::new().await;
    for _ in 0..300 {
        world.get("/api/v1/auth/info").await.expect(200);
    }
}

async fn preflight(world: &World, path: &str, origin: &str) -> Answer {
    let request = Request::builder().method(Method::OPTIONS).uri(path).header("origin", origin);
    let request = request.header("access-control-request-method", "PUT");
    world.send(request.body(Body::empty()).unwrap()).await
}

async fn origin(world: &World, path: &str, origin: &str) -> Answer {
    let request = Request::get(path).header("origin", origin).header("authorization", format!("Bearer {ADMIN}"));
    world.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn pages_of_other_origins_read_nothing_unless_configured() {
    let world = World::new().await;
    let answer = origin(&world, TEAMS, "https://evil.example").await;
    assert!(!answer.headers.contains_key("access-control-allow-origin") && !answer.headers.contains_key("vary"));
    let answer = preflight(&world, TEAMS, "https://evil.example").await;
    assert_eq!(answer.status, 204);
    assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")));
    for path in ["/health", "/ready", "/api/v1/auth/info"] {
        assert_eq!(origin(&world, path, "https://evil.example").await.header("access-control-allow-origin"), "*");
    }
}

#[tokio::test]
async fn configured_origins_are_echoed_and_others_are_not() {
    let origins = Origins::These(vec!["https://console.example".into()]);
    let world = World::with(Options { origins, ..Options::default() }).await;
    let answer = origin(&world, TEAMS, "https://console.example").await;
    assert_eq!(answer.header("access-control-allow-origin"), "https://console.example");
    assert_eq!(answer.header("vary"), "Origin");
    assert!(answer.header("access-control-expose-headers").contains("ETag"));
    answer.expect(200);
    // A page must be able to read what was wrong.
    let refused = origin(&world, "/api/v1/teams/none", "https://console.example").await;
    assert_eq!(refused.header("access-control-allow-origin"), "https://console.example");
    assert_eq!(refused.problem(404), "not_found");
    for other in ["https://console.example.evil", "http://console.example", "null"] {
        let answer = origin(&world, TEAMS, other).await;
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{other}");
        assert_eq!(answer.header("vary"), "Origin");
    }
    let answer = preflight(&world, TEAMS, "https://console.example").await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-max-age")), (204, "86400"));
    for header in ["If-Match", "Idempotency-Key", "Authorization"] {
        assert!(answer.header("access-control-allow-headers").contains(header));
    }
    assert!(answer.header("access-control-allow-methods").contains("PUT"));
}

#[tokio::test]
async fn any_origin_may_be_let_in() {
    let world = World::with(Options { origins: Origins::Any, ..Options::default() }).await;
    assert_eq!(origin(&world, TEAMS, "https://any.example").await.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn every_answer_says_how_it_may_be_used() {
    let world = World::new().await;
    for path in ["/health", TEAMS, "/api/v1/teams/none", "/nothing"] {
        let answer = world.get(path).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        // In process there is no TLS.
        assert!(!answer.headers.contains_key("strict-transport-security"), "{path}");
    }
}

#[tokio::test]
async fn a_good_request_id_is_kept_and_another_is_made() {
    let world = World::new().await;
    let ask = async |id: &str| {
        let request = Request::get("/api/v1/nothing").header("x-request-id", id).body(Body::empty()).unwrap();
        let answer = world.send(request).await;
        let shown = answer.header("x-request-id").to_owned();
        assert_eq!(check_problem(&answer, 404)["request_id"], json!(shown));
        shown
    };
    let long = "a".repeat(128);
    for good in ["6f0c0f9e-8d0b-4a52-9f4e-0f3d1c2b3a49", "mine", "a.b_c-9", &long] {
        assert_eq!(ask(good).await, good);
    }
    let longer = "a".repeat(129);
    for bad in ["", "a b", "a/b", "x\ty", "<script>", &longer] {
        let made = ask(bad).await;
        assert_eq!(made.len(), 36, "{bad}");
        assert_ne!(made, ask(bad).await);
    }
}

/// The answer to a call, if it has one without that time passes.
async fn by_itself(call: &mut (impl Future<Output = Answer> + Unpin)) -> Option<Answer> {
    for _ in 0..100 {
        if let Some(answer) = (&mut *call).now_or_never() {
            return Some(answer);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test]
async fn a_body_that_never_comes_is_waited_for_no_longer_than_half_a_minute() {
    let scep = vec![profile("default", Some("swordfish"), None)];
    let options = Options { est: vec![by_password()], scep, ..Options::default() };
    let acme = serving(AcmeAuthMode::TrustAuthenticated);
    let world = World::with_doors(options, |builder| builder.acme(acme)).await;
    for (path, content_type, form) in [
        ("/.well-known/est/simpleenroll", "application/pkcs10", "text/plain; charset=utf-8"),
        ("/scep?operation=PKIOperation", "application/x-pki-message", "text/plain; charset=utf-8"),
        ("/acme/new-account", "application/jose+json", "application/problem+json"),
        (TEAMS, "application/json", "application/problem+json"),
    ] {
        let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let request = Request::post(path).header("authorization", format!("Bearer {ADMIN}"));
        let request = request.header("content-type", content_type).header("content-length", "1000");
        let mut call = Box::pin(world.send(request.body(never).unwrap()));
        assert!(by_itself(&mut call).await.is_none(), "{path}");
        world.fakes.clock.advance(Duration::from_secs(29));
        assert!(by_itself(&mut call).await.is_none(), "{path}");
        world.fakes.clock.advance(Duration::from_secs(1));
        let answer = by_itself(&mut call).await.unwrap_or_else(|| panic!("{path} waits for ever"));
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (408, form), "{path}");
        assert!(answer.text.contains("did not arrive in time"), "{path}: {}", answer.text);
    }
    // In the words of the protocol.
    let none = Request::post("/acme/new-account").header("content-type", "application/jose+json");
    let long = world.send(none.body(Body::from(vec![b' '; 200_000])).unwrap()).await;
    assert_eq!((long.status.as_u16(), &long.json()["type"]), (413, &json!("urn:ietf:params:acme:error:malformed")));
}

#[tokio::test]
async fn who_comes_too_often_to_est_is_refused_before_their_body_is_read() {
    let rate_limit = Some(RateLimit { per_second: 1, burst: 1 });
    let world = World::with(Options { rate_limit, est: vec![by_password()], ..Options::default() }).await;
    let post = || {
        let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        Box::pin(world.send(Request::post("/.well-known/est/simpleenroll").body(never).unwrap()))
    };
    let mut first = post();
    assert!(by_itself(&mut first).await.is_none());
    assert_eq!(by_itself(&mut post()).await.unwrap().status.as_u16(), 429);
}
