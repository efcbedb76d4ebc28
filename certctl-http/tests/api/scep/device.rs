//! A device that speaks SCEP and can also say what no device should, before a server that serves it.

use axum::body::Body;
use axum::http::{Method, Request};
use certctl_core::domain::{Chain, Fingerprint, SubjectNames, Version};
use certctl_core::enrol::EnrolTerms;
use certctl_core::pki::cms::{SignedData, Strength};
use certctl_core::ports::Secret;
use certctl_core::scep::ScepProfile;
use certctl_core::storage::{Query, View};
use certctl_core::testing::scep::{MessageParts, ScepClient, ScepReply};
use certctl_http::Options;
use serde_json::{Value, json};

use crate::world::{Answer, OPERATOR, World};

pub(crate) const PASSWORD: &str = "swordfish";
pub(crate) const MESSAGE: &str = "application/x-pki-message";
pub(crate) const NONCE: &[u8] = b"sixteen octets..";

pub(crate) fn profile(name: &str, challenge: Option<&str>, profile_id: Option<&str>) -> ScepProfile {
    ScepProfile {
        name: name.into(),
        terms: EnrolTerms { profile_id: profile_id.map(|id| id.parse().unwrap()), ..EnrolTerms::default() },
        challenge: challenge.map(Secret::new),
        strength: Strength::Modern,
        failures_per_hour: 10_000_000,
        authority: None,
    }
}

/// A server with a password, one with challenges alone, and one whose requests are looked at by somebody.
pub(crate) fn options() -> Options {
    let scep = vec![
        profile("default", Some(PASSWORD), None),
        profile("once", None, None),
        profile("careful", Some(PASSWORD), Some("prof-careful")),
    ];
    Options { scep, ..Options::default() }
}

/// A server, and what a client learns of it first.
pub(crate) struct Scep {
    pub(crate) world: World,
    /// The registration authority of the profile `default`.
    pub(crate) authority: Chain,
}

impl Scep {
    pub(crate) async fn new() -> Self {
        let world = World::with_real_keys(options()).await;
        let careful = json!({ "id": "prof-careful", "name": "careful", "requires_approval": true });
        world.post("/api/v1/profiles", careful).await.expect(201);
        Self::around(world).await
    }

    /// The server of a world that has a profile `default`.
    pub(crate) async fn around(world: World) -> Self {
        let authority = authority(&world, "/scep").await;
        Self { world, authority }
    }

    pub(crate) async fn client(&self) -> ScepClient {
        let ports = self.world.engine.ports();
        ScepClient::new(&*ports.keys, &*ports.rng, ports.clock.now()).await
    }

    /// A message of a client to a profile's authority, sent there, and the answer.
    pub(crate) async fn ask(&self, client: &ScepClient, asked: Asked<'_>) -> ScepReply {
        let path = if asked.profile == "default" { "/scep".to_owned() } else { format!("/scep/{}", asked.profile) };
        let authority =
            if asked.profile == "default" { self.authority.clone() } else { authority(&self.world, &path).await };
        let message = self.message(client, &authority, &asked).await;
        let answer = post(&self.world, &path, message).await;
        let reply = self.read(client, &authority, &answer).await;
        assert_eq!((reply.transaction.as_str(), reply.nonce.as_slice()), (asked.transaction, NONCE));
        reply
    }

    pub(crate) async fn message(&self, client: &ScepClient, authority: &Chain, asked: &Asked<'_>) -> Vec<u8> {
        let parts = MessageParts {
            message_type: asked.kind,
            transaction: asked.transaction,
            nonce: NONCE,
            content: &asked.content,
            to: authority.leaf(),
            signed_at: None,
        };
        client.message(parts, &*self.world.fakes.rng).await
    }

    pub(crate) async fn read(&self, client: &ScepClient, authority: &Chain, answer: &Answer) -> ScepReply {
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, MESSAGE), "{}", answer.text);
        client.read(&answer.octets, authority, &*self.world.fakes.rng).await
    }

    /// A challenge password for one request.
    pub(crate) async fn challenge(&self, body: Value) -> String {
        let made = self.world.call(Method::POST, "/api/v1/scep/challenges", OPERATOR, Some(body)).await.expect(201);
        made["challenge"].as_str().unwrap().to_owned()
    }

    /// Enrols; gives the certificate.
    pub(crate) async fn enrolled(&self, client: &ScepClient, name: &str) -> Vec<u8> {
        let content = client.request(&names(name), Some(PASSWORD)).await;
        let transaction = format!("enrol {name}");
        let asked = Asked { content, ..Asked::new("19", &transaction) };
        let reply = self.ask(client, asked).await;
        assert_eq!(reply.status, "0", "{:?}", reply.text);
        reply.certificates[0].clone()
    }

    /// Renews the certificate that a client has; gives the next one, for another key.
    pub(crate) async fn renewed(&self, old: &ScepClient, next: &ScepClient, name: &str) -> Vec<u8> {
        let content = next.request(&names(name), None).await;
        let transaction = format!("renew {name}");
        let reply = self.ask(old, Asked { content, ..Asked::new("17", &transaction) }).await;
        assert_eq!((reply.status.as_str(), reply.message_type.as_str()), ("0", "3"), "{:?}", reply.text);
        reply.certificates[0].clone()
    }

    pub(crate) async fn versions(&self) -> u64 {
        let view = self.world.engine.storage().read(View::Latest).await.unwrap();
        view.total(&Query::<Version>::all()).await.unwrap()
    }

    /// The certificate that a version with these octets is of, as the API shows it.
    pub(crate) async fn managed(&self, der: &[u8]) -> Value {
        let view = self.world.engine.storage().read(View::Latest).await.unwrap();
        let of = Query::<Version>::all().filter(Version::FIELDS.fingerprint_sha256.equals(Fingerprint::of(der)));
        let version = view.first(of).await.unwrap().unwrap();
        let id = version.certificate_id.to_string();
        self.world.get(&format!("/api/v1/certificates/{id}")).await.expect(200)
    }
}

/// What is asked.
pub(crate) struct Asked<'a> {
    pub(crate) profile: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) transaction: &'a str,
    pub(crate) content: Vec<u8>,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(kind: &'a str, transaction: &'a str) -> Self {
        Self { profile: "default", kind, transaction, content: Vec::new() }
    }
}

pub(crate) fn names(name: &str) -> SubjectNames {
    SubjectNames::new(&format!("{name}.example.com"), &[]).unwrap()
}

pub(crate) async fn authority(world: &World, path: &str) -> Chain {
    let answer = world.call(Method::GET, &format!("{path}?operation=GetCACert"), "", None).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/x-x509-ca-ra-cert"));
    Chain::from_der(SignedData::parse(&answer.octets).unwrap().certificates().to_vec()).unwrap()
}

pub(crate) async fn post(world: &World, path: &str, body: Vec<u8>) -> Answer {
    let request = Request::post(format!("{path}?operation=PKIOperation")).body(Body::from(body)).unwrap();
    world.send(request).await
}
