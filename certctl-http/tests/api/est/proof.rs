//! Who is let in: passwords, certificates, and requests that are bound to their connection.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl_core::domain::SCHEMAS;
use certctl_core::pki;
use certctl_core::ports::{GeneratedKey, Secret};
use certctl_core::storage::MemoryStorage;
use certctl_core::testing::{FakePorts, TestKeys};
use certctl_http::{EstAccess, EstProfile, EstTrust, Options};
use serde_json::json;

use super::{Bound, Call, Content, Door, PASSWORD, by_password, foreign, named, request};
use crate::idempotency::Slow;
use crate::world::{SEED, World};

const ENROLL: &str = "/.well-known/est/simpleenroll";

impl Door {
    async fn issued(&self) -> u64 {
        self.world.get("/api/v1/certificates?per_page=500").await.expect(200)["total"].as_u64().unwrap()
    }

    async fn refusals(&self) -> Vec<String> {
        let events = self.world.get("/api/v1/audit?action=enrolment_refused&per_page=100").await.expect(200);
        let reasons =
            events["data"].as_array().unwrap().iter().map(|event| event["details"]["reason"].as_str().unwrap());
        reasons.map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn nobody_enrols_without_a_credential() {
    let (stranger, _) = foreign(30, &["stranger.example"]).await;
    let (_, trust) = foreign(31, &["other.example"]).await;
    let password = || Secret::new(PASSWORD);
    let door = Door::open(vec![
        by_password(),
        named("certificate", EstAccess::Certificate(trust.clone())),
        named("either", EstAccess::Either(password(), trust.clone())),
        named("both", EstAccess::Both(password(), trust)),
        named("own", EstAccess::Certificate(EstTrust::Issuer)),
    ])
    .await;
    let (_, csr) = request(1, &["router.example.com"]).await;
    let body = csr.to_pem();
    for (path, password, machine, status) in [
        ("", None, None, 401),
        ("", Some("wrong"), None, 401),
        ("", None, Some(&stranger), 401),
        ("certificate/", None, None, 403),
        ("certificate/", Some(PASSWORD), None, 403),
        ("certificate/", None, Some(&stranger), 403),
        ("either/", None, None, 401),
        ("either/", Some("wrong"), Some(&stranger), 401),
        ("both/", Some(PASSWORD), None, 403),
        ("both/", None, Some(&stranger), 401),
        ("both/", Some(PASSWORD), Some(&stranger), 403),
        ("own/", None, Some(&stranger), 403),
    ] {
        let path = format!("/.well-known/est/{path}simpleenroll");
        let reply = door.send(Call { password, machine, ..Call::post(&path, body.as_bytes()) }).await;
        reply.refused(status);
        // Each has an hour of its own.
        door.world.fakes.clock.advance(Duration::from_secs(3_600));
    }
    // Renewing takes the certificate that is renewed, not a password.
    for machine in [None, Some(&stranger)] {
        let path = "/.well-known/est/simplereenroll";
        let call = Call { machine, ..Call::post(path, body.as_bytes()).password(PASSWORD) };
        door.send(call).await.refused(403);
    }
    assert_eq!(door.issued().await, 0);
    assert!(door.refusals().await.iter().all(|reason| reason == "credential"));
    assert!(door.refusals().await.len() >= 6);
}

#[tokio::test]
async fn below_est_mtls_a_client_certificate_is_needed_besides() {
    let (machine, trust) = foreign(30, &["router.example.com"]).await;
    let (stranger, _) = foreign(31, &["stranger.example"]).await;
    let password = || Secret::new(PASSWORD);
    let door = Door::open(vec![
        by_password(),
        named("either", EstAccess::Either(password(), trust.clone())),
        named("both", EstAccess::Both(password(), trust.clone())),
        named("certificate", EstAccess::Certificate(trust)),
    ])
    .await;
    let body = request(1, &["router.example.com"]).await.1.to_pem();
    for (path, password, machine, status) in [
        // The password lets nobody in here by itself.
        ("either/", Some(PASSWORD), None, 403),
        ("either/", Some(PASSWORD), Some(&stranger), 403),
        ("either/", None, None, 403),
        ("both/", None, Some(&machine), 401),
        ("both/", Some(PASSWORD), None, 403),
        ("certificate/", None, Some(&stranger), 403),
        // Where no certificates count there is no such server.
        ("", Some(PASSWORD), None, 404),
        ("", Some(PASSWORD), Some(&machine), 404),
        ("none/", None, Some(&machine), 404),
    ] {
        let path = format!("/.well-known/est-mtls/{path}simpleenroll");
        door.send(Call { password, machine, ..Call::post(&path, body.as_bytes()) }).await.refused(status);
        door.world.fakes.clock.advance(Duration::from_secs(3_600));
    }
    assert_eq!(door.issued().await, 0);
    for (seed, path, password) in [(2, "either/", None), (3, "both/", Some(PASSWORD)), (4, "certificate/", None)] {
        let path = format!("/.well-known/est-mtls/{path}simpleenroll");
        let body = request(seed, &["router.example.com"]).await.1.to_pem();
        let call = Call { password, ..Call::post(&path, body.as_bytes()).machine(&machine) };
        door.send(call).await.certificates();
    }
    // What is told to everybody is told here as well (RFC 7030 sections 4.1.1 and 4.5.1).
    let told = door.get("/.well-known/est-mtls/either/cacerts").await.certificates();
    assert_eq!(told, door.get("/.well-known/est/cacerts").await.certificates());
    assert_eq!(door.get("/.well-known/est-mtls/either/csrattrs").await.status, 200);
    door.get("/.well-known/est-mtls/csrattrs").await.refused(404);
    door.get("/.well-known/est-mtls/either/simpleenroll").await.refused(405);
}

#[tokio::test]
async fn a_certificate_of_the_issuer_is_good_for_its_own_names_alone() {
    let own = named("own", EstAccess::Certificate(EstTrust::Issuer));
    let door = Door::open(vec![by_password(), own]).await;
    let machine = door.machine(1, &["router.example.com"]).await;
    let other = request(2, &["admin.example.com"]).await.1.to_pem();
    let more = request(3, &["router.example.com", "admin.example.com"]).await.1.to_pem();
    for operation in ["simpleenroll", "simplereenroll"] {
        for body in [&other, &more] {
            let path = format!("/.well-known/est/own/{operation}");
            let text = door.send(Call::post(&path, body.as_bytes()).machine(&machine)).await.refused(403);
            assert!(text.contains("exactly the same names"), "{text}");
        }
    }
    let same = request(4, &["router.example.com"]).await.1.to_pem();
    door.send(Call::post("/.well-known/est/own/simpleenroll", same.as_bytes()).machine(&machine)).await.certificates();
    assert_eq!(door.issued().await, 1, "a version of the same certificate");
    // A key that is another certificate's is refused.
    let thief = door.machine(5, &["switch.example.com"]).await;
    let stolen = super::signed(&machine.key, &["switch.example.com"]).await.to_pem();
    let call = Call::post("/.well-known/est/simplereenroll", stolen.as_bytes()).machine(&thief);
    assert!(door.send(call).await.refused(409).contains("another certificate"));
}

#[tokio::test]
async fn after_ten_wrong_passwords_an_address_waits_an_hour() {
    let door = Door::open(vec![by_password()]).await;
    let (_, csr) = request(1, &["router.example.com"]).await;
    let body = csr.to_pem();
    let wrong = || Call::post(ENROLL, body.as_bytes()).password("wrong");
    // Right ones and none at all do not count.
    for _ in 0..5 {
        door.enrol(ENROLL, &csr).await.certificates();
        door.send(Call::post(ENROLL, body.as_bytes())).await.refused(401);
    }
    let many = (0..64).map(|_| door.send(wrong()));
    let mut statuses: Vec<u16> = futures_util::future::join_all(many).await.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 10, "{statuses:?}");
    assert!(statuses.iter().skip(10).all(|status| *status == 429));
    let late = door.enrol(ENROLL, &csr).await;
    assert!(late.refused(429).contains("wrong passwords"));
    let wait: u64 = late.header("retry-after").unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&wait), "{wait}");
    assert_eq!(door.refusals().await.len(), 10);
    door.world.fakes.clock.advance(Duration::from_secs(wait));
    door.enrol(ENROLL, &csr).await.certificates();
}

#[tokio::test]
async fn a_machine_asks_for_so_many_certificates_a_day() {
    let door = Door::open(vec![EstProfile { per_day: Some(3), ..by_password() }]).await;
    for seed in 1..=3 {
        door.enrol(ENROLL, &request(seed, &["router.example.com"]).await.1).await.certificates();
    }
    let fourth = request(4, &["router.example.com"]).await.1;
    let late = door.enrol(ENROLL, &fourth).await;
    assert!(late.refused(429).contains("router.example.com"));
    assert_eq!(late.header("retry-after"), Some("86400"));
    door.enrol(ENROLL, &request(5, &["switch.example.com"]).await.1).await.certificates();
    door.world.fakes.clock.advance(Duration::from_secs(86_400));
    door.enrol(ENROLL, &fourth).await.certificates();
    assert_eq!(door.refusals().await, ["rate_limited"]);
}

#[tokio::test]
async fn the_limit_of_a_day_counts_certificates_and_not_what_a_request_calls_itself() {
    let mut profile = EstProfile { per_day: Some(2), ..by_password() };
    profile.terms.profile_id = Some("prof-narrow".parse().unwrap());
    let door = Door::open(vec![profile]).await;
    let narrow = json!({ "id": "prof-narrow", "name": "narrow", "required_san_patterns": ["*.example.com"] });
    door.world.post("/api/v1/profiles", narrow).await.expect(201);
    let names = ["a.example.com", "b.example.com"];
    // What is refused is given back, and so is what is only sent again.
    for seed in 1..=5 {
        door.enrol(ENROLL, &request(seed, &["a.example.com", "b.example.net"]).await.1).await.refused(400);
    }
    let first = request(10, &names).await.1;
    let given = door.enrol(ENROLL, &first).await.certificates();
    for _ in 0..5 {
        assert_eq!(door.enrol(ENROLL, &first).await.certificates(), given);
    }
    door.enrol(ENROLL, &request(11, &names).await.1).await.certificates();
    // Other names in front of the same ones are no other machine.
    for names in [["a.example.com", "b.example.com"], ["b.example.com", "a.example.com"]] {
        door.enrol(ENROLL, &request(12, &names).await.1).await.refused(429);
    }
    door.enrol(ENROLL, &request(13, &["c.example.com"]).await.1).await.certificates();
}

#[tokio::test]
async fn many_good_requests_at_once_are_no_failures() {
    let fakes = FakePorts::new(SEED, Arc::new(TestKeys));
    let store = Slow::over(Arc::new(MemoryStorage::new(SCHEMAS, fakes.ports().clock)), usize::MAX);
    let own = named("own", EstAccess::Certificate(EstTrust::Issuer));
    let options = Options { est: vec![by_password(), own], ..Options::default() };
    let world = World::on(Arc::new(store), fakes, options, true, |builder| builder).await;
    let door = Door::around(world, |tls| tls).await;
    let machine = door.machine(1, &["router.example.com"]).await;
    let bodies: Vec<String> = {
        let requests = (2..22).map(|seed| request(seed, &["router.example.com"]));
        futures_util::future::join_all(requests).await.iter().map(|(_, csr)| csr.to_pem()).collect()
    };
    let ask = |body: &str| {
        let (body, door, machine) = (body.to_owned(), &door, &machine);
        let path = "/.well-known/est/own/simpleenroll";
        async move { door.send(Call::post(path, body.as_bytes()).machine(machine)).await }
    };
    let replies = futures_util::future::join_all(bodies.iter().map(|body| ask(body))).await;
    for reply in replies {
        if reply.status == 429 {
            assert_eq!(reply.header("retry-after"), Some("1"), "{}", reply.text());
        }
    }
    // Whoever comes again is let in.
    assert_ne!(ask(&bodies[0]).await.status, 429);
    assert!(door.refusals().await.iter().all(|reason| reason != "credential"));
}

/// A request with these octets in challengePassword.
async fn bound(key: GeneratedKey, name: &str, value: Option<[u8; 32]>) -> Vec<u8> {
    let names = pki_names(name);
    let challenge = value.map(|value| STANDARD.encode(value));
    der::with_challenge(&names, &key, challenge.as_deref()).await
}

fn pki_names(name: &str) -> certctl_core::domain::SubjectNames {
    certctl_core::domain::SubjectNames::new(name, &[]).unwrap()
}

#[tokio::test]
async fn a_request_is_bound_to_its_connection_where_that_is_asked_for() {
    let profile = EstProfile { channel_binding_required: true, ..by_password() };
    let options = Options { est: vec![profile], ..Options::default() };
    let door = Door::with(options, certctl_http::Tls::with_tls12).await;
    let (key, plain) = request(1, &["router.example.com"]).await;
    let send = |body: Content<'static>, tls12| {
        let call = Call { body, tls12, ..Call::post(ENROLL, b"").password(PASSWORD) };
        door.send(call)
    };
    assert!(door.enrol(ENROLL, &plain).await.refused(400).contains("not bound"));
    let other: Bound<'static> = {
        let key = key.clone();
        Box::leak(Box::new(move |_| Box::pin(bound(key.clone(), "router.example.com", Some([7; 32]))) as _))
    };
    assert!(send(Content::Bound(other), false).await.refused(409).contains("another connection"));
    let right: Bound<'static> = {
        let key = key.clone();
        Box::leak(Box::new(move |value| Box::pin(bound(key.clone(), "router.example.com", Some(value))) as _))
    };
    // Below TLS 1.3 there is no value that could be checked.
    let old = send(Content::Bound(right), true).await;
    assert!(old.refused(426).contains("TLS 1.3"));
    assert_eq!(old.header("upgrade"), Some("TLS/1.3"));
    assert_eq!(door.issued().await, 0);
    send(Content::Bound(right), false).await.certificates();
    // Without TLS at all.
    let request = axum::http::Request::post(ENROLL)
        .header("authorization", format!("Basic {}", STANDARD.encode(format!("x:{PASSWORD}"))))
        .body(axum::body::Body::from(plain.to_pem()))
        .unwrap();
    assert_eq!(door.world.send(request).await.status, 426);
    assert_eq!(pki::est::channel_binding(plain.der()).unwrap(), None);
}

/// PKCS #10 by hand, for an attribute that the engine never writes.
mod der {
    use certctl_core::domain::{SubjectNames, pem};
    use certctl_core::ports::GeneratedKey;

    pub(super) async fn with_challenge(names: &SubjectNames, key: &GeneratedKey, challenge: Option<&str>) -> Vec<u8> {
        let value = |tag: u8, parts: &[&[u8]]| {
            let contents = parts.concat();
            let mut out = vec![tag];
            let [high, low] = u16::try_from(contents.len()).unwrap().to_be_bytes();
            match (high, low) {
                (0, short @ 0..0x80) => out.push(short),
                (0, long) => out.extend([0x81, long]),
                (high, low) => out.extend([0x82, high, low]),
            }
            out.extend(contents);
            out
        };
        let oid = |dotted: &[u8]| value(6, &[dotted]);
        let common_name = names.common_name.clone().unwrap();
        let attribute = value(0x30, &[&oid(&[0x55, 4, 3]), &value(12, &[common_name.as_bytes()])]);
        let subject = value(0x30, &[&value(0x31, &[&attribute])]);
        let challenge = challenge.map(|text| {
            let kind = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 7]);
            value(0x30, &[&kind, &value(0x31, &[&value(12, &[text.as_bytes()])])])
        });
        let attributes = value(0xa0, &[&challenge.unwrap_or_default()]);
        let info = value(0x30, &[&[2, 1, 0], &subject, key.signer.public_key(), &attributes]);
        let signature = key.signer.sign(&info).await.unwrap();
        // ecdsa-with-SHA256
        let algorithm = value(0x30, &[&oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2])]);
        let csr = value(0x30, &[&info, &algorithm, &value(3, &[&[0], &signature])]);
        pem::encode("CERTIFICATE REQUEST", &csr).into_bytes()
    }
}
