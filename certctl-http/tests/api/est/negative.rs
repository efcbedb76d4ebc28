//! What is refused, and that nothing comes of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl_core::domain::Csr;
use certctl_http::Options;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::{Call, Door, PASSWORD, by_password, named, request};
use crate::world::{ADMIN, World};

const ENROLL: &str = "/.well-known/est/simpleenroll";
const ENROLL_NAME: &str = "simpleenroll";

#[tokio::test]
async fn where_there_is_no_server_the_paths_are_not_found() {
    let none = World::new().await;
    for path in ["cacerts", "simpleenroll", "a/cacerts", ""] {
        let method = if path.contains("enroll") { Method::POST } else { Method::GET };
        assert_eq!(none.call(method, &format!("/.well-known/est/{path}"), ADMIN, None).await.status, 404, "{path}");
    }
    let door = Door::open(vec![named("phones", by_password().access)]).await;
    for path in
        ["cacerts", "nobody/cacerts", "phones/fullcmc", "phones/x/cacerts", "phones", "phones/", "Phones/cacerts"]
    {
        let reply = door.get(&format!("/.well-known/est/{path}")).await;
        assert_eq!((reply.status, reply.header("content-type")), (404, Some("text/plain; charset=utf-8")), "{path}");
    }
}

#[tokio::test]
async fn another_method_is_told_the_right_one() {
    let door = Door::open(vec![by_password()]).await;
    for (path, method, allowed) in [
        ("cacerts", "POST", "GET"),
        ("csrattrs", "PUT", "GET"),
        ("simpleenroll", "GET", "POST"),
        ("simplereenroll", "DELETE", "POST"),
        ("simpleenroll", "HEAD", "POST"),
    ] {
        let path = format!("/.well-known/est/{path}");
        let reply = door.send(Call { method, ..Call::post(&path, b"") }).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some(allowed)), "{method} {path}");
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    let head = door.send(Call { method: "HEAD", ..Call::post("/.well-known/est/cacerts", b"") }).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

/// Bodies that are no request, each with the status and a word of the reason.
async fn bodies() -> Vec<(Vec<u8>, u16, &'static str)> {
    let (_, csr) = request(1, &["router.example.com"]).await;
    let base64 = |der: &[u8]| STANDARD.encode(der).into_bytes();
    let mut forged = csr.der().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let mut renamed = csr.der().to_vec();
    let at = renamed.windows(6).position(|six| six == b"router").unwrap();
    renamed[at] = b'b';
    let nested = vec![0x30; 60_000];
    vec![
        (Vec::new(), 400, "empty"),
        (b"{\"csr\":1}".to_vec(), 400, "base64"),
        (b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n".to_vec(), 400, "CERTIFICATE"),
        (csr.to_pem().repeat(2).into_bytes(), 400, "one CSR"),
        (base64(&csr.der()[..80]), 400, "malformed"),
        (base64(&[csr.der(), &[0]].concat()), 400, "follows"),
        (base64(&[&[0x30, 0x80], &csr.der()[4..], &[0, 0]].concat()), 400, "malformed"),
        (base64(&forged), 400, "signature"),
        (base64(&renamed), 400, "signature"),
        (base64(&nested), 400, "follows"),
        (base64(&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]), 400, "malformed"),
        (vec![b'M'; 200_000], 413, "at most"),
    ]
}

#[tokio::test]
async fn what_is_no_request_is_refused_with_its_cause() {
    let door = Door::open(vec![by_password()]).await;
    for (body, status, reason) in bodies().await {
        let reply = door.send(Call::post(ENROLL, &body).password(PASSWORD)).await;
        let text = reply.refused(status);
        assert!(text.contains(reason), "{reason}: {text}");
    }
    // What is longer than anything is not read to its end.
    let long = Request::post(ENROLL)
        .header("authorization", format!("Basic {}", STANDARD.encode(format!("x:{PASSWORD}"))))
        .body(Body::from(vec![b'M'; (1 << 20) + 1]))
        .unwrap();
    let long = door.world.send(long).await;
    assert_eq!((long.status.as_u16(), long.header("content-type")), (413, "text/plain; charset=utf-8"));
    for content_type in ["application/json", "multipart/form-data; boundary=x", "application/pkcs7-mime", "nonsense"] {
        let (_, csr) = request(1, &["router.example.com"]).await;
        let (headers, body) = ([("content-type", content_type)], csr.to_pem());
        let call = Call { headers: &headers, ..Call::post(ENROLL, body.as_bytes()) };
        assert!(door.send(call.password(PASSWORD)).await.refused(415).contains("application/pkcs10"));
    }
    door.nothing_was_issued().await;
    // In the audit trail, with the address.
    let events = door.world.get("/api/v1/audit?action=enrolment_refused&per_page=100").await.expect(200);
    let events = events["data"].as_array().unwrap();
    assert!(events.iter().all(|event| event["actor"] == "est:default" && event["details"]["reason"] == "malformed"));
    assert!(events.iter().any(|event| event["details"]["address"] == "127.0.0.1"));
}

/// What a log at its usual level shows.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{}={value:?} ", field.name());
    }
}

#[tokio::test]
async fn what_is_refused_is_in_the_log_with_its_cause_and_address() {
    let keygen = certctl_http::EstProfile { server_keygen: true, ..by_password() };
    let world = World::with(Options { est: vec![keygen], ..Options::default() }).await;
    let csr = request(1, &["router.example.com"]).await.1.to_pem().into_bytes();
    let log = Log::default();
    let _shown = tracing::subscriber::set_default(log.clone());
    for (method, path, content_type, body, status, why) in [
        (Method::PUT, "cacerts", "", Vec::new(), 405, "called with GET"),
        (Method::POST, ENROLL_NAME, "application/pkcs10", vec![b'M'; (1 << 20) + 1], 413, "longer than"),
        (Method::POST, ENROLL_NAME, "application/json", csr.clone(), 415, "application/pkcs10"),
        (Method::POST, "serverkeygen", "application/pkcs10", csr, 400, "takes an RSA key"),
    ] {
        let path = format!("/.well-known/est/{path}");
        let asked = format!("{method} {path}");
        let request = Request::builder().method(method).uri(&path).header("content-type", content_type);
        let request = request.header("authorization", format!("Basic {}", STANDARD.encode(format!("x:{PASSWORD}"))));
        let mut request = request.body(Body::from(body)).unwrap();
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>("192.0.2.1:4711".parse().unwrap()));
        assert_eq!(world.send(request).await.status.as_u16(), status, "{path}");
        let lines = std::mem::take(&mut *log.0.lock().unwrap());
        let line = lines.iter().find(|line| line.contains("an EST request was refused"));
        let line = line.unwrap_or_else(|| panic!("{asked}: {lines:?}"));
        for part in [asked.as_str(), "192.0.2.1", why, &format!("status={status}")] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
}

impl Door {
    async fn nothing_was_issued(&self) {
        for path in ["/api/v1/certificates", "/api/v1/jobs"] {
            assert_eq!(self.world.get(path).await.expect(200)["total"], 0, "{path}");
        }
    }

    async fn refused(&self, path: &str, csr: &Csr, (status, reason): (u16, &str)) {
        let text = self.enrol(path, csr).await.refused(status);
        assert!(text.contains(reason), "{reason}: {text}");
    }
}

#[tokio::test]
async fn what_profile_or_policy_forbid_is_refused() {
    let mut narrow = named("narrow", by_password().access);
    narrow.terms.profile_id = Some("prof-narrow".parse().unwrap());
    let mut nowhere = named("nowhere", by_password().access);
    nowhere.terms.issuer_id = "iss-none".parse().unwrap();
    let door = Door::open(vec![by_password(), narrow, nowhere]).await;
    let profile = json!({
        "id": "prof-narrow", "name": "narrow", "required_san_patterns": ["*.example.com"],
        "allowed_key_algorithms": [{ "algorithm": "RSA", "min_size": 2048 }],
    });
    door.world.post("/api/v1/profiles", profile).await.expect(201);
    let (_, csr) = request(1, &["router.example.com"]).await;
    door.refused("/.well-known/est/narrow/simpleenroll", &csr, (400, "does not allow a ECDSA P-256 key")).await;
    let keys = json!({ "allowed_key_algorithms": [] });
    door.world.put("/api/v1/profiles/prof-narrow", keys).await.expect(200);
    door.world.fakes.clock.advance(std::time::Duration::from_secs(3));
    let (_, outside) = request(2, &["router.example.net"]).await;
    door.refused("/.well-known/est/narrow/simpleenroll", &outside, (400, "does not allow the name")).await;
    let (_, sneaky) = request(3, &["Domain Administrator", "a.example.com"]).await;
    door.refused("/.well-known/est/narrow/simpleenroll", &sneaky, (400, "common name")).await;
    // The reason is the operator's to know.
    let text = door.enrol("/.well-known/est/nowhere/simpleenroll", &csr).await.refused(500);
    assert!(text.contains("log") && !text.contains("iss-none"), "{text}");
    door.get("/.well-known/est/nowhere/cacerts").await.refused(500);
    let rule = json!({
        "id": "pr-1", "name": "domains", "type": "AllowedDomains", "config": { "allowed_domains": ["example.org"] },
        "enforce": true, "severity": "Error",
    });
    door.world.post("/api/v1/policies", rule).await.expect(201);
    door.world.fakes.clock.advance(std::time::Duration::from_secs(3));
    door.refused(ENROLL, &csr, (403, "domains")).await;
    door.nothing_was_issued().await;
    let events: Value = door.world.get("/api/v1/audit?action=enrolment_refused&per_page=100").await.expect(200);
    let mut reasons: Vec<&str> =
        events["data"].as_array().unwrap().iter().map(|event| event["details"]["reason"].as_str().unwrap()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["closed", "policy", "profile", "profile", "profile"]);
}
