//! An ACME client that can also do what no client should.

use std::cell::RefCell;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certctl_core::domain::{KeyAlgorithm, SubjectNames, Timestamp};
use certctl_core::engine::EngineBuilder;
use certctl_core::enrol::acme::{AcmeAuthMode, AcmeConfig, AcmeProfile};
use certctl_core::pki;
use certctl_core::ports::{Clock, Keys, Signer};
use certctl_core::testing::{SeededRng, TestKeys};
use serde_json::{Value, json};

use crate::world::{Answer, World};

pub(super) const HOST: &str = "http://localhost";

/// A server whose default profile has a directory.
pub(crate) fn serving(mode: AcmeAuthMode) -> AcmeConfig {
    let profile = "prof-default".parse().unwrap();
    AcmeConfig {
        profiles: [(profile, AcmeProfile::new(mode))].into(),
        default_profile: Some("prof-default".parse().unwrap()),
        ..AcmeConfig::default()
    }
}

impl World {
    pub(super) async fn acme(config: AcmeConfig) -> Self {
        Self::built(|builder: EngineBuilder| builder.acme(config)).await
    }
}

pub(super) fn encode(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

pub(super) async fn key(algorithm: KeyAlgorithm, seed: u64) -> Arc<dyn Signer> {
    TestKeys.generate(algorithm, &SeededRng::new(seed)).await.unwrap().signer
}

/// The public key as JSON.
pub(super) fn jwk(key: &dyn Signer) -> Value {
    let spki = key.public_key();
    match key.algorithm() {
        KeyAlgorithm::Ed25519 => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(&spki[spki.len() - 32..]) }),
        KeyAlgorithm::EcdsaP256 => {
            let (x, y) = spki[spki.len() - 64..].split_at(32);
            json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
        }
        KeyAlgorithm::EcdsaP384 => {
            let (x, y) = spki[spki.len() - 96..].split_at(48);
            json!({ "kty": "EC", "crv": "P-384", "x": encode(x), "y": encode(y) })
        }
        KeyAlgorithm::Rsa { .. } => unimplemented!("the clients of other makers use RSA"),
    }
}

fn algorithm(key: &dyn Signer) -> &'static str {
    match key.algorithm() {
        KeyAlgorithm::Ed25519 => "EdDSA",
        KeyAlgorithm::EcdsaP256 => "ES256",
        KeyAlgorithm::EcdsaP384 => "ES384",
        KeyAlgorithm::Rsa { .. } => "RS256",
    }
}

/// A signature as messages carry it: both numbers of an ECDSA signature in their full size.
async fn signature(key: &dyn Signer, signed: &[u8]) -> Vec<u8> {
    let made = key.sign(signed).await.unwrap();
    let size = match key.algorithm() {
        KeyAlgorithm::EcdsaP256 => 32,
        KeyAlgorithm::EcdsaP384 => 48,
        _ => return made,
    };
    let (mut fixed, mut rest) = (Vec::new(), &made[2..]);
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let number = &rest[2..2 + length];
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        fixed.extend(std::iter::repeat_n(0, size - number.len()));
        fixed.extend_from_slice(number);
        rest = &rest[2 + length..];
    }
    fixed
}

/// A message with this protected header; the payload is a JSON value, or empty.
pub(super) async fn signed(key: &dyn Signer, header: &Value, payload: Option<&Value>) -> Value {
    let protected = encode(header.to_string());
    let payload = payload.map_or_else(String::new, |payload| encode(payload.to_string()));
    let signature = signature(key, format!("{protected}.{payload}").as_bytes()).await;
    json!({ "protected": protected, "payload": payload, "signature": encode(signature) })
}

pub(crate) struct Client<'w> {
    pub(super) world: &'w World,
    pub(super) key: Arc<dyn Signer>,
    /// Below which path the directory is.
    pub(super) base: String,
    /// The account's URL.
    pub(super) kid: Option<String>,
    /// The nonce of the last answer, and when that was.
    nonce: RefCell<Option<(String, Timestamp)>>,
}

impl<'w> Client<'w> {
    /// A client with a key and no account.
    pub(super) async fn stranger(world: &'w World, seed: u64) -> Self {
        let key = key(KeyAlgorithm::Ed25519, seed).await;
        Self { world, key, base: "/acme".into(), kid: None, nonce: RefCell::default() }
    }

    /// A client with an account.
    pub(crate) async fn new(world: &'w World, seed: u64) -> Self {
        let mut client = Self::stranger(world, seed).await;
        client.register(json!({})).await.expect(201);
        client
    }

    fn now(&self) -> Timestamp {
        Clock::now(&self.world.fakes.clock)
    }

    pub(super) fn url(&self, rest: &str) -> String {
        format!("{HOST}{}/{rest}", self.base)
    }

    /// Asks for an account, and keeps its URL.
    pub(super) async fn register(&mut self, payload: Value) -> Answer {
        let answer = self.post(&self.url("new-account"), Some(payload)).await;
        if answer.status.is_success() {
            self.kid = Some(answer.header("location").to_owned());
        }
        answer
    }

    pub(super) async fn fresh_nonce(&self) -> String {
        let answer =
            self.world.send(Request::head(format!("{}/new-nonce", self.base)).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), 200);
        answer.header("replay-nonce").to_owned()
    }

    /// The header that a proper message to this URL has.
    pub(super) async fn header(&self, url: &str) -> Value {
        let kept = self.nonce.borrow_mut().take();
        let nonce = match kept {
            // They do not last for long.
            Some((nonce, at)) if at == self.now() => nonce,
            _ => self.fresh_nonce().await,
        };
        let mut header = json!({ "alg": algorithm(&*self.key), "nonce": nonce, "url": url });
        match &self.kid {
            Some(kid) => header["kid"] = json!(kid),
            None => header["jwk"] = jwk(&*self.key),
        }
        header
    }

    pub(super) async fn post(&self, url: &str, payload: Option<Value>) -> Answer {
        let header = self.header(url).await;
        let message = signed(&*self.key, &header, payload.as_ref()).await;
        self.send(url, message.to_string()).await
    }

    /// POST-as-GET.
    pub(super) async fn read(&self, url: &str) -> Answer {
        self.post(url, None).await
    }

    /// Sends what was signed. Whatever the answer, it has a nonce and says where the directory is.
    pub(super) async fn send(&self, url: &str, message: String) -> Answer {
        let path = url.strip_prefix(HOST).unwrap_or(url);
        let request = Request::builder().method(Method::POST).uri(path).header("content-type", "application/jose+json");
        let answer = self.world.send(request.body(Body::from(message)).unwrap()).await;
        let nonce = answer.header("replay-nonce").to_owned();
        assert_eq!(nonce.len(), 46, "{}", answer.text);
        self.nonce.replace(Some((nonce, self.now())));
        let links: Vec<&str> = answer.headers.get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
        assert!(links.contains(&format!("<{}>;rel=\"index\"", self.url("directory")).as_str()), "{links:?}");
        answer
    }

    pub(super) async fn order(&self, names: &[&str]) -> (String, Value) {
        let made = self.try_order(names).await;
        let url = made.header("location").to_owned();
        (url, made.expect(201))
    }

    pub(super) async fn try_order(&self, names: &[&str]) -> Answer {
        self.post(&self.url("new-order"), Some(json!({ "identifiers": identifiers(names) }))).await
    }

    pub(super) async fn finalize(&self, order: &Value, csr: &str) -> Answer {
        self.post(order["finalize"].as_str().unwrap(), Some(json!({ "csr": csr }))).await
    }

    /// Orders in a trusted network, and gives the order's URL, the order, and the chain as PEM.
    pub(crate) async fn obtain(&self, names: &[&str], seed: u64) -> (String, Value, String) {
        let (url, order) = self.order(names).await;
        let order = self.finalize(&order, &csr(names, seed).await).await.expect(200);
        let chain = self.read(order["certificate"].as_str().unwrap()).await;
        assert_eq!(chain.status.as_u16(), 200, "{}", chain.text);
        assert_eq!(chain.header("content-type"), "application/pem-certificate-chain");
        (url, order, chain.text)
    }

    pub(super) async fn revoke(&self, leaf: &[u8], reason: Option<u8>) -> Answer {
        let mut payload = json!({ "certificate": encode(leaf) });
        if let Some(reason) = reason {
            payload["reason"] = json!(reason);
        }
        self.post(&self.url("revoke-cert"), Some(payload)).await
    }
}

pub(super) fn identifiers(names: &[&str]) -> Value {
    let kind = |name: &str| if name.parse::<std::net::IpAddr>().is_ok() { "ip" } else { "dns" };
    names.iter().map(|name| json!({ "type": kind(name), "value": name })).collect()
}

/// A request for these names with a key of its own, as orders are finalized with.
pub(super) async fn csr(names: &[&str], seed: u64) -> String {
    csr_with(names, &*key(KeyAlgorithm::EcdsaP256, seed).await).await
}

pub(super) async fn csr_with(names: &[&str], key: &dyn Signer) -> String {
    let sans: Vec<String> = names.iter().map(ToString::to_string).collect();
    let names = SubjectNames::new("", &sans).unwrap();
    encode(pki::csr::build(&names, key).await.unwrap().der())
}

/// The first certificate of a chain, DER.
pub(crate) fn leaf(chain: &str) -> Vec<u8> {
    certctl_core::domain::Chain::from_pem(chain).unwrap().leaf().to_vec()
}

/// The type of a problem of this status, after a look at what every problem of the protocol has.
#[track_caller]
pub(super) fn problem(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    assert_eq!(matches!(status, 429 | 503), answer.headers.contains_key("retry-after"));
    problem["type"].as_str().unwrap().strip_prefix("urn:ietf:params:acme:error:").unwrap().to_owned()
}

/// HMAC-SHA256 (RFC 2104) with a key of at most 64 octets.
pub(super) fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let hash = |parts: [&[u8]; 2]| *certctl_core::domain::Fingerprint::of(&parts.concat()).as_bytes();
    let pad = |with: u8| -> Vec<u8> { (0..64).map(|place| key.get(place).copied().unwrap_or(0) ^ with).collect() };
    hash([&pad(0x5c), &hash([&pad(0x36), message])]).to_vec()
}
