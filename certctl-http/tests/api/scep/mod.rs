//! SCEP over HTTP: a client that makes any message, and everything that must come of it or must not.

mod device;
mod legacy;
mod mtls;
mod oracle;
mod registrar;
mod versions;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use certctl_core::domain::{
    Certificate, ExtendedKeyUsage, KeyAlgorithm, RegistrationAuthority, Serial, SubjectNames, pem,
};
use certctl_core::entity::Record;
use certctl_core::pki::certificate::{self, Authority, AuthorityRequest, DistinguishedName, LeafRequest};
use certctl_core::pki::cms::{ContentType, SignRequest, SignedData, sign};
use certctl_core::scep::ScepProfile;
use certctl_core::storage::{Query, View};
use certctl_core::testing::scep::{MessageParts, ScepClient, issuer_and_serial};
use certctl_http::Options;
use certctl_http::wire::CreateScepChallenge;
use serde_json::json;

use device::{Asked, MESSAGE, NONCE, authority, names, post};
pub(crate) use device::{PASSWORD, Scep, profile};

use crate::client::{InProcess, client};
use crate::world::{ADMIN, AGENT, AUDITOR, OPERATOR, VIEWER, World};

#[tokio::test]
async fn a_device_enrols_and_renews_without_a_key_of_the_api() {
    let scep = Scep::new().await;
    let caps = scep.world.call(Method::GET, "/scep?operation=GetCACaps", "", None).await;
    assert_eq!((caps.status.as_u16(), caps.header("content-type")), (200, "text/plain"));
    let words: Vec<&str> = caps.text.lines().collect();
    for word in ["AES", "POSTPKIOperation", "Renewal", "SHA-256", "SHA-512", "SCEPStandard"] {
        assert!(words.contains(&word), "{word} is not in {words:?}");
    }
    for word in ["DES3", "SHA-1", "GetNextCACert"] {
        assert!(!words.contains(&word), "{word} is not true");
    }

    let device = scep.client().await;
    let first = scep.enrolled(&device, "router").await;
    let facts = certificate::parse(&first).unwrap();
    assert_eq!((facts.names, facts.spki.as_slice()), (names("router"), device.signer.public_key()));
    let managed = scep.managed(&first).await;
    assert_eq!((&managed["status"], &managed["source"]), (&json!("Active"), &json!("SCEP")));

    // The renewal is for another key, signed with the old one, and needs no password.
    let next = scep.client().await;
    let second = scep.renewed(&device.with(&first), &next, "router").await;
    assert_eq!(certificate::parse(&second).unwrap().spki, next.signer.public_key());
    assert_eq!(scep.managed(&second).await["id"], managed["id"]);
    // A key that is sent does not matter.
    let caps = scep.world.call(Method::GET, "/scep?operation=GetCACaps", "no key at all", None).await;
    assert_eq!(caps.status.as_u16(), 200);
}

#[tokio::test]
async fn messages_come_by_get_in_base64() {
    let scep = Scep::new().await;
    let device = scep.client().await;
    let content = device.request(&names("by-get"), Some(PASSWORD)).await;
    let message = scep.message(&device, &scep.authority, &Asked { content, ..Asked::new("19", "get") }).await;
    let text = base64(&message);
    // As strongSwan escapes it, with its line ends; and as clients do that escape nothing.
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    for query in [lines.join("%0A").replace('+', "%2B"), text.clone()] {
        let path = format!("/scep/pkiclient.exe?operation=PKIOperation&message={query}");
        let answer = scep.world.call(Method::GET, &path, "", None).await;
        assert_eq!(scep.read(&device, &scep.authority, &answer).await.status, "0");
    }
    assert_eq!(scep.versions().await, 1, "the same request twice");
}

/// Base64 without lines.
fn base64(octets: &[u8]) -> String {
    pem::encode("DATA", octets).lines().filter(|line| !line.starts_with('-')).collect()
}

/// What somebody shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credential {
    None,
    WrongChallenge,
    RightChallenge,
    OldCertificate,
    RevokedCertificate,
    ForeignCertificate,
}

const CREDENTIALS: [Credential; 6] = [
    Credential::None,
    Credential::WrongChallenge,
    Credential::RightChallenge,
    Credential::OldCertificate,
    Credential::RevokedCertificate,
    Credential::ForeignCertificate,
];

/// A certificate for the names from a CA that the server does not know.
async fn foreign(scep: &Scep, client: &ScepClient, name: &str) -> Vec<u8> {
    let ports = scep.world.engine.ports();
    let key = ports.keys.generate(KeyAlgorithm::EcdsaP256, &*ports.rng).await.unwrap();
    let now = ports.clock.now();
    let request = AuthorityRequest {
        subject: DistinguishedName { common_name: "Elsewhere".into(), ..DistinguishedName::default() },
        spki: key.signer.public_key().to_vec(),
        serial: Serial::random(&*ports.rng),
        not_before: now - Duration::from_hours(1),
        not_after: now + Duration::from_hours(24),
        path_length: None,
        crl_urls: vec![],
        ocsp_urls: vec![],
        ca_issuer_urls: vec![],
    };
    let root = certificate::root(&request).unwrap().sign(&*key.signer).await.unwrap();
    let leaf = LeafRequest {
        names: names(name),
        spki: client.signer.public_key().to_vec(),
        serial: Serial::random(&*ports.rng),
        not_before: now - Duration::from_hours(1),
        not_after: now + Duration::from_hours(12),
        extended_key_usages: [ExtendedKeyUsage::ClientAuth].into(),
        must_staple: false,
        policies: vec![],
        crl_urls: vec![],
        ocsp_urls: vec![],
        ca_issuer_urls: vec![],
    };
    let leaf = certificate::leaf(&leaf, &Authority::from_certificate(&root).unwrap()).unwrap();
    leaf.sign(&*key.signer).await.unwrap()
}

#[tokio::test]
async fn of_all_message_types_and_credentials_exactly_two_issue() {
    let scep = Scep::new().await;
    let (device, holder, revoked, stranger) =
        (scep.client().await, scep.client().await, scep.client().await, scep.client().await);
    let old = scep.enrolled(&holder, "old").await;
    let gone = scep.enrolled(&revoked, "gone").await;
    let id = scep.managed(&gone).await["id"].as_str().unwrap().to_owned();
    scep.world
        .post(&format!("/api/v1/certificates/{id}/revoke"), json!({ "reason": "keyCompromise" }))
        .await
        .expect(200);
    let elsewhere = foreign(&scep, &stranger, "old").await;
    let next = scep.client().await;
    let before = scep.versions().await;

    let mut issued = Vec::new();
    for kind in 0..=u8::MAX {
        for credential in CREDENTIALS {
            // A renewal is for a new key, and signed with the old one.
            let (signer, content) = match credential {
                Credential::None => (device.clone(), device.request(&names("new"), None).await),
                Credential::WrongChallenge => (device.clone(), device.request(&names("new"), Some("swordfisch")).await),
                Credential::RightChallenge => (device.clone(), device.request(&names("new"), Some(PASSWORD)).await),
                Credential::OldCertificate => (holder.with(&old), next.request(&names("old"), None).await),
                Credential::RevokedCertificate => (revoked.with(&gone), next.request(&names("gone"), None).await),
                Credential::ForeignCertificate => (stranger.with(&elsewhere), next.request(&names("old"), None).await),
            };
            let (number, transaction) = (kind.to_string(), format!("{kind} {credential:?}"));
            let reply = scep.ask(&signer, Asked { content, ..Asked::new(&number, &transaction) }).await;
            if reply.status == "0" {
                issued.push((kind, credential));
            } else {
                assert_eq!(reply.status, "2", "{transaction}");
                assert!(reply.certificates.is_empty() && reply.fail_info.is_some(), "{transaction}");
            }
        }
    }
    assert_eq!(issued, [(17, Credential::OldCertificate), (19, Credential::RightChallenge)]);
    assert_eq!(scep.versions().await, before + 2);
}

#[tokio::test]
async fn a_transaction_is_good_for_one_request() {
    let scep = Scep::new().await;
    let (device, other) = (scep.client().await, scep.client().await);
    let content = device.request(&names("one"), Some(PASSWORD)).await;
    let again = || Asked { content: content.clone(), ..Asked::new("19", "the only one") };
    let first = scep.ask(&device, again()).await;
    assert_eq!(scep.ask(&device, again()).await.certificates, first.certificates);
    let another = other.request(&names("one"), Some(PASSWORD)).await;
    let refused = scep.ask(&other, Asked { content: another, ..Asked::new("19", "the only one") }).await;
    assert_eq!((refused.status.as_str(), refused.fail_info.as_deref()), ("2", Some("2")));
    let names = device.request(&names("two"), Some(PASSWORD)).await;
    let refused = scep.ask(&device, Asked { content: names, ..Asked::new("19", "the only one") }).await;
    assert_eq!((refused.status.as_str(), refused.fail_info.as_deref()), ("2", Some("2")));
    assert_eq!(scep.versions().await, 1);
}

#[tokio::test]
async fn a_challenge_is_good_for_its_names_its_profile_and_its_time() {
    let scep = Scep::new().await;
    let device = scep.client().await;
    let ask = async |client: &ScepClient, profile, challenge: &str, names: &SubjectNames| {
        let content = client.request(names, Some(challenge)).await;
        let transaction = format!("{} {challenge}", names.san_texts().join(","));
        scep.ask(client, Asked { profile, content, ..Asked::new("19", &transaction) }).await
    };
    let body =
        json!({ "profile": "once", "common_name": "a.example.com", "sans": ["b.example.com"], "expires_in": 60 });
    let challenge = scep.challenge(body.clone()).await;
    let both = SubjectNames::new("a.example.com", &["b.example.com".into()]).unwrap();
    // Neither fewer names nor more nor others, and none of these uses it up.
    for wrong in [
        names("a"),
        names("c"),
        SubjectNames::new("a.example.com", &["b.example.com".into(), "c.example.com".into()]).unwrap(),
        SubjectNames::new("c.example.com", &["a.example.com".into(), "b.example.com".into()]).unwrap(),
    ] {
        let refused = ask(&device, "once", &challenge, &wrong).await;
        assert_eq!((refused.status.as_str(), refused.fail_info.as_deref()), ("2", Some("2")), "{wrong:?}");
    }
    assert_eq!(ask(&device, "default", &challenge, &both).await.status, "2", "another profile");
    let issued = ask(&device, "once", &challenge, &both).await;
    assert_eq!(issued.status, "0", "{:?}", issued.text);
    assert_eq!(certificate::parse(&issued.certificates[0]).unwrap().names, both);

    let late = scep.challenge(body).await;
    scep.world.fakes.clock.advance(Duration::from_secs(61));
    let other = scep.client().await;
    assert_eq!(ask(&other, "once", &late, &both).await.status, "2", "it has ended");
    // The shared password of one profile is none of another's.
    assert_eq!(ask(&other, "once", PASSWORD, &both).await.status, "2");
    // Neither the trail nor the store shows a challenge.
    let trail = scep.world.call(Method::GET, "/api/v1/audit?limit=500", ADMIN, None).await.text;
    assert!(trail.contains("scep_challenge_created") && trail.contains("scep_challenge_used"), "{trail}");
    assert!(!trail.contains(&challenge) && !trail.contains(&late));
}

#[tokio::test]
async fn operators_make_challenges_and_mistakes_are_told() {
    let scep = Scep::new().await;
    let body = json!({ "profile": "once", "common_name": "a.example.com" });
    for (key, status) in [(ADMIN, 201), (OPERATOR, 201), (VIEWER, 403), (AUDITOR, 403), (AGENT, 403), ("", 401)] {
        let answer = scep.world.call(Method::POST, "/api/v1/scep/challenges", key, Some(body.clone())).await;
        assert_eq!(answer.status.as_u16(), status, "{key}");
    }
    for (wrong, pointer) in [
        (json!({ "profile": "nowhere", "common_name": "a.example.com" }), "/profile"),
        (json!({ "profile": "once" }), "/common_name"),
        (json!({ "profile": "once", "common_name": "a.example.com", "expires_in": 5 }), "/expires_in"),
        (json!({ "profile": "once", "common_name": "a\u{1}b" }), "/common_name"),
    ] {
        let answer = scep.world.call(Method::POST, "/api/v1/scep/challenges", ADMIN, Some(wrong)).await;
        assert_eq!(answer.status.as_u16(), 400, "{}", answer.text);
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer);
    }
    let request = CreateScepChallenge { common_name: Some("b.example.com".into()), ..CreateScepChallenge::default() };
    let http = Arc::new(InProcess(scep.world));
    let made = client(&http, OPERATOR).create_scep_challenge(&request).await.unwrap();
    assert_eq!((made.profile.as_str(), made.challenge.expose().len()), ("default", 32));
}

#[tokio::test]
async fn what_waits_for_approval_is_polled_by_who_asked() {
    let scep = Scep::new().await;
    let (device, stranger) = (scep.client().await, scep.client().await);
    let content = device.request(&names("slow"), Some(PASSWORD)).await;
    let ask = || Asked { profile: "careful", content: content.clone(), ..Asked::new("19", "slow") };
    assert_eq!(scep.ask(&device, ask()).await.status, "3");
    assert_eq!(scep.ask(&device, ask()).await.status, "3", "the same again");
    let poll = || Asked { profile: "careful", content: empty_names(), ..Asked::new("20", "slow") };
    assert_eq!(scep.ask(&device, poll()).await.status, "3");
    let refused = scep.ask(&stranger, poll()).await;
    assert_eq!((refused.status.as_str(), refused.fail_info.as_deref()), ("2", Some("4")));
    assert_eq!(scep.versions().await, 0);

    let jobs = scep.world.get("/api/v1/jobs?status=AwaitingApproval").await.expect(200);
    let job = jobs["data"][0]["id"].as_str().unwrap().to_owned();
    scep.world.post(&format!("/api/v1/jobs/{job}/approve"), json!({})).await.expect(200);
    for _ in 0..20 {
        scep.world.engine.step().await.unwrap();
    }
    let reply = scep.ask(&device, poll()).await;
    assert_eq!(reply.status, "0", "{:?}", reply.text);
    assert_eq!(certificate::parse(&reply.certificates[0]).unwrap().spki, device.signer.public_key());
    assert_eq!(scep.ask(&stranger, poll()).await.status, "2");

    // One that is rejected says so.
    let content = stranger.request(&names("never"), Some(PASSWORD)).await;
    let ask = Asked { profile: "careful", content, ..Asked::new("19", "never") };
    assert_eq!(scep.ask(&stranger, ask).await.status, "3");
    let jobs = scep.world.get("/api/v1/jobs?status=AwaitingApproval").await.expect(200);
    let job = jobs["data"][0]["id"].as_str().unwrap().to_owned();
    scep.world.post(&format!("/api/v1/jobs/{job}/reject"), json!({ "reason": "no" })).await.expect(200);
    let poll = Asked { profile: "careful", content: empty_names(), ..Asked::new("20", "never") };
    let refused = scep.ask(&stranger, poll).await;
    assert_eq!((refused.status.as_str(), refused.fail_info.as_deref()), ("2", Some("2")));
}

/// IssuerAndSubject of two empty names.
fn empty_names() -> Vec<u8> {
    vec![0x30, 4, 0x30, 0, 0x30, 0]
}

#[tokio::test]
async fn certificates_are_found_by_their_numbers_for_those_who_hold_one() {
    let scep = Scep::new().await;
    let (one, other) = (scep.client().await, scep.client().await);
    let (first, second) = (scep.enrolled(&one, "first").await, scep.enrolled(&other, "second").await);
    let ask = |transaction, certificate: &[u8]| Asked {
        content: issuer_and_serial(certificate),
        ..Asked::new("21", transaction)
    };
    let found = scep.ask(&one.with(&first), ask("a", &second)).await;
    assert_eq!((found.status.as_str(), found.certificates.as_slice()), ("0", [second.clone()].as_slice()));
    let unknown = foreign(&scep, &other, "elsewhere").await;
    let refused = scep.ask(&one.with(&first), ask("b", &unknown)).await;
    assert_eq!((refused.status.as_str(), refused.fail_info.as_deref()), ("2", Some("4")));
    // Whoever signs with a certificate of their own making is told nothing.
    assert_eq!(scep.ask(&one, ask("c", &second)).await.fail_info.as_deref(), Some("4"));

    // The same for the list that says which of them are revoked.
    let list = |transaction, certificate: &[u8]| Asked { kind: "22", ..ask(transaction, certificate) };
    let found = scep.ask(&one.with(&first), list("d", &second)).await;
    assert_eq!((found.status.as_str(), found.crls.len(), found.certificates.len()), ("0", 1, 0), "{:?}", found.text);
    let published = scep.world.call(Method::GET, "/.well-known/pki/crl/iss-local", "", None).await;
    assert_eq!((published.status.as_u16(), &published.octets), (200, &found.crls[0]));
    assert_eq!(scep.ask(&one.with(&first), list("e", &unknown)).await.fail_info.as_deref(), Some("4"));
    assert_eq!(scep.ask(&one, list("f", &second)).await.fail_info.as_deref(), Some("4"));
}

#[tokio::test]
async fn the_lightweight_form_takes_a_request_alone() {
    let scep = Scep::new().await;
    let device = scep.client().await;
    let request = device.request(&names("light"), Some(PASSWORD)).await;
    let pem = pem::encode("CERTIFICATE REQUEST", &request);
    let certificates = [device.certificate.as_slice()];
    let parts =
        SignRequest { kind: ContentType::Data, content: Some(&request), certificates: &certificates, attributes: &[] };
    let embedded = sign(parts, &*device.signer).await.unwrap();
    let mut answers = Vec::new();
    for form in [request.clone(), base64(&request).into_bytes(), pem.into_bytes(), embedded] {
        let answer = post(&scep.world, "/scep", form).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, MESSAGE), "{}", answer.text);
        let bag = SignedData::parse(&answer.octets).unwrap();
        assert!(bag.certificates().len() > 1);
        answers.push(bag.certificates().to_vec());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "the same request four times");
    assert_eq!(scep.versions().await, 1);

    for challenge in [None, Some("swordfisch"), Some("")] {
        let request = device.request(&names("light"), challenge).await;
        let answer = post(&scep.world, "/scep", request).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (403, "text/plain; charset=utf-8"));
    }
    let other = scep.client().await.request(&names("pending"), Some(PASSWORD)).await;
    assert_eq!(post(&scep.world, "/scep/careful", other).await.status.as_u16(), 202);
}

#[tokio::test]
async fn what_cannot_be_answered_in_the_protocol_is_answered_in_text() {
    let scep = Scep::new().await;
    let device = scep.client().await;
    let request = device.request(&names("bad"), Some(PASSWORD)).await;
    let message = scep.message(&device, &scep.authority, &Asked { content: request, ..Asked::new("19", "bad") }).await;
    let truncated = message[..message.len() - 1].to_vec();
    let trailing = [message.as_slice(), &[0]].concat();
    let bare = sign(
        SignRequest {
            kind: ContentType::Data,
            content: Some(b"x"),
            certificates: &[&device.certificate],
            attributes: &[],
        },
        &*device.signer,
    )
    .await
    .unwrap();
    for body in [Vec::new(), b"nonsense".to_vec(), vec![0x30, 0x80], truncated, trailing, bare, vec![0; 500_000]] {
        let answer = post(&scep.world, "/scep", body).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (400, "text/plain; charset=utf-8"));
    }
    let too_long = post(&scep.world, "/scep", vec![0x30; 2 << 20]).await;
    assert_eq!((too_long.status.as_u16(), too_long.header("content-type")), (413, "text/plain; charset=utf-8"));
    for (method, path, status) in [
        (Method::GET, "/scep", 400),
        (Method::GET, "/scep?operation=GetNextCACert", 400),
        (Method::GET, "/scep?operation=PKIOperation", 400),
        (Method::GET, "/scep?operation=PKIOperation&message=%%%", 400),
        (Method::POST, "/scep?operation=GetCACert", 400),
        (Method::POST, "/scep", 400),
        (Method::GET, "/scep/nowhere?operation=GetCACaps", 404),
        (Method::POST, "/scep/nowhere?operation=PKIOperation", 404),
        (Method::PUT, "/scep?operation=PKIOperation", 405),
        (Method::DELETE, "/scep/once", 405),
    ] {
        let answer = scep.world.call(method.clone(), path, "", None).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.text);
        assert!(answer.header("content-type").starts_with("text/plain"), "{method} {path}");
    }
    assert_eq!(scep.versions().await, 0);
    let off = World::new().await;
    assert_eq!(off.call(Method::GET, "/scep?operation=GetCACaps", "", None).await.status.as_u16(), 404);
}

#[tokio::test]
async fn who_guesses_challenge_passwords_is_stopped() {
    let few = ScepProfile { failures_per_hour: 3, ..profile("default", Some(PASSWORD), None) };
    let world = World::with_real_keys(Options { scep: vec![few], ..Options::default() }).await;
    let ports = world.engine.ports();
    let device = ScepClient::new(&*ports.keys, &*ports.rng, ports.clock.now()).await;
    let guess = device.request(&names("a"), Some("swordfisch")).await;
    let right = device.request(&names("a"), Some(PASSWORD)).await;
    assert_eq!(post(&world, "/scep", right.clone()).await.status.as_u16(), 200);
    for _ in 0..3 {
        assert_eq!(post(&world, "/scep", guess.clone()).await.status.as_u16(), 403);
    }
    for body in [&guess, &right] {
        let answer = post(&world, "/scep", body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "3600"));
        assert!(answer.header("content-type").starts_with("text/plain"));
    }
    world.fakes.clock.advance(Duration::from_secs(3_601));
    assert_eq!(post(&world, "/scep", right).await.status.as_u16(), 200);
}

#[tokio::test]
async fn the_trail_says_from_where_what_was_refused_came() {
    let scep = Scep::new().await;
    let device = scep.client().await;
    let guess = device.request(&names("guess"), Some("swordfisch")).await;
    let message =
        scep.message(&device, &scep.authority, &Asked { content: guess.clone(), ..Asked::new("19", "guess") }).await;
    for body in [guess, message] {
        let mut request = Request::post("/scep?operation=PKIOperation").body(Body::from(body)).unwrap();
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>("192.0.2.7:4711".parse().unwrap()));
        scep.world.send(request).await;
    }
    let events = scep.world.get("/api/v1/audit?action=enrolment_refused&per_page=100").await.expect(200);
    let from: Vec<_> = events["data"].as_array().unwrap().iter().map(|event| &event["details"]["address"]).collect();
    assert_eq!(from, [&json!("192.0.2.7"), &json!("192.0.2.7")], "{events}");
}

#[tokio::test]
async fn what_is_wrong_with_a_message_is_told_in_the_protocol() {
    let scep = Scep::new().await;
    let (device, other) = (scep.client().await, scep.client().await);
    let rng = &*scep.world.fakes.rng;
    let content = device.request(&names("bad"), Some(PASSWORD)).await;
    let parts = MessageParts {
        message_type: "19",
        transaction: "bad",
        nonce: NONCE,
        content: &content,
        to: scep.authority.leaf(),
        signed_at: None,
    };
    let now = scep.world.fakes.ports().clock.now();
    let day = Duration::from_hours(25);
    let ask = async |client: &ScepClient, message: Vec<u8>| {
        let answer = post(&scep.world, "/scep", message).await;
        scep.read(client, &scep.authority, &answer).await.fail_info
    };
    // Signed by another key than it says; for somebody else; damaged inside; at another time; for another key.
    let forged = ScepClient { certificate: device.certificate.clone(), ..other.clone() }.message(parts, rng).await;
    assert_eq!(ask(&device, forged).await.as_deref(), Some("1"));
    let elsewhere = device.message(MessageParts { to: &other.certificate, ..parts }, rng).await;
    assert_eq!(ask(&device, elsewhere).await.as_deref(), Some("1"));
    for damaged in [&content[..content.len() - 1], b"no request", b"", &[content.as_slice(), &[0]].concat()] {
        let message = device.message(MessageParts { content: damaged, ..parts }, rng).await;
        assert_eq!(ask(&device, message).await.as_deref(), Some("1"));
    }
    for at in [now - day, now + day] {
        let skewed = device.message(MessageParts { signed_at: Some(at), ..parts }, rng).await;
        assert_eq!(ask(&device, skewed).await.as_deref(), Some("3"));
    }
    for time in ["260101", "2601010000Z", "soon"] {
        let timeless = device.at_no_time(parts, time, rng).await;
        assert_eq!(ask(&device, timeless).await.as_deref(), Some("3"), "{time}");
    }
    let somebody_elses = other.message(parts, rng).await;
    assert_eq!(ask(&other, somebody_elses).await.as_deref(), Some("2"));
    for kind in ["3", "0", "019", " 19", "PKCSReq", ""] {
        let message = device.message(MessageParts { message_type: kind, ..parts }, rng).await;
        assert_eq!(ask(&device, message).await.as_deref(), Some("2"), "{kind:?}");
    }
    assert_eq!(scep.versions().await, 0);
    let message = device.message(MessageParts { signed_at: Some(now), ..parts }, rng).await;
    assert_eq!(ask(&device, message).await, None, "nothing is wrong with this one");
}

#[tokio::test]
async fn the_registration_authority_is_renewed_and_the_one_before_still_decrypts() {
    let scep = Scep::new().await;
    let facts = certificate::parse(scep.authority.leaf()).unwrap();
    assert_eq!(facts.key_usage, Some(0b1010_0000 << 8), "digitalSignature and keyEncipherment");
    assert!(facts.extended_key_usages.is_empty() && !facts.is_ca);
    assert_eq!(authority(&scep.world, "/scep").await, scep.authority, "the same for everybody");
    let life = facts.not_after.since(facts.not_before);
    scep.world.fakes.clock.advance(life / 3 * 2 + Duration::from_hours(1));
    let next = authority(&scep.world, "/scep").await;
    assert_ne!(next, scep.authority);
    let device = scep.client().await;
    let content = device.request(&names("late"), Some(PASSWORD)).await;
    let message = scep.message(&device, &scep.authority, &Asked { content, ..Asked::new("19", "late") }).await;
    let answer = post(&scep.world, "/scep", message).await;
    assert_eq!(scep.read(&device, &next, &answer).await.status, "0");
    let view = scep.world.engine.storage().read(View::Latest).await.unwrap();
    let all: Vec<Record<RegistrationAuthority>> =
        view.list(Query::all().limit(10)).await.unwrap().records.into_iter().collect();
    assert_eq!(all.len(), 2);
    let certificates = view.total(&Query::<Certificate>::all()).await.unwrap();
    assert_eq!(certificates, 1, "none of them is a machine's");
}
