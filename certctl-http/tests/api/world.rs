//! An engine on fakes behind the router, and keys of every role.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use certctl_connectors::host::SoftwareKeys;
use certctl_core::Engine;
use certctl_core::domain::{
    Fingerprint, Revocation, RevocationId, RevocationReason, Role, SCHEMAS, SubjectNames, Version,
};
use certctl_core::engine::{Cadence, ConfiguredKey, EngineBuilder, HealthCadence, NotifierConfig, SetupSecret};
use certctl_core::entity::Record;
use certctl_core::ports::{Keys, Secret};
use certctl_core::seal::SealingKey;
use certctl_core::storage::{MemoryStorage, Query, Storage, UnitOfWork};
use certctl_core::testing::{FakePorts, InlineSpawner, SeededRng, TestKeys};
use certctl_core::{domain::KeyAlgorithm, pki};
use certctl_http::{Authentication, Options, router};
use serde_json::{Value, json};
use tower::ServiceExt;

/// Of everything that is random in a world.
pub(crate) const SEED: u64 = 7;
pub(crate) const ADMIN: &str = "key-of-admin";
pub(crate) const OPERATOR: &str = "key-of-operator";
pub(crate) const VIEWER: &str = "key-of-viewer";
pub(crate) const AUDITOR: &str = "key-of-auditor";
/// Acts for the agent `edge-1`, as a key of role agent does by its name.
pub(crate) const AGENT: &str = "key-of-edge-1";

pub(crate) const KEYS: [(&str, Role); 5] = [
    (ADMIN, Role::Admin),
    (OPERATOR, Role::Operator),
    (VIEWER, Role::Viewer),
    (AUDITOR, Role::Auditor),
    (AGENT, Role::Agent),
];

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) fakes: FakePorts,
    pub(crate) engine: Engine,
    pub(crate) router: Router,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// The body as it came.
    pub(crate) octets: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// The code of a problem of this status, after a look at everything that every problem has.
    #[track_caller]
    pub(crate) fn problem(self, status: u16) -> String {
        let problem = check_problem(&self, status);
        problem["code"].as_str().unwrap().to_owned()
    }
}

/// Looks at everything that every problem document has.
#[track_caller]
pub(crate) fn check_problem(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    assert_eq!((&problem["error"], &problem["message"]), (&problem["title"], &problem["detail"]));
    assert_eq!(problem["title"].as_str(), answer.status.canonical_reason());
    assert_eq!(problem["request_id"].as_str().unwrap(), answer.header("x-request-id"));
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    assert_eq!(status == 401, answer.headers.contains_key("www-authenticate"));
    assert_eq!(matches!(status, 429 | 503), answer.headers.contains_key("retry-after"));
    problem
}

impl World {
    /// The version that a certificate is, and a unit of work to change something about it.
    pub(crate) async fn version(&self, der: &[u8]) -> (Record<Version>, UnitOfWork) {
        let unit = UnitOfWork::begin(self.engine.storage()).await.unwrap().bookkeeping();
        let of = Query::<Version>::all().filter(Version::FIELDS.fingerprint_sha256.equals(Fingerprint::of(der)));
        (unit.first(of).await.unwrap().unwrap(), unit)
    }

    /// Revokes the version that a certificate is, while its managed certificate lives on; in no list.
    pub(crate) async fn revoke_version(&self, der: &[u8]) {
        let (version, mut unit) = self.version(der).await;
        let (now, ports) = (unit.now(), self.engine.ports());
        unit.insert(Revocation {
            id: RevocationId::generate(&*ports.clock, &*ports.rng),
            issuer_id: version.issuer_id.clone(),
            issuer_key_id: version.issuer_key_id.clone(),
            serial_number: version.serial_number.clone(),
            crl_list: String::new(),
            crl_entry: Vec::new(),
            certificate_id: version.certificate_id.clone(),
            version_id: version.id.clone(),
            reason: RevocationReason::KeyCompromise,
            revoked_at: now,
            revoked_by: "test".into(),
            not_after: version.not_after,
            short_lived: false,
            changed_at: now,
        });
        unit.commit().await.unwrap();
    }

    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn open() -> Self {
        Self::with(Options { authentication: Authentication::Off, ..Options::default() }).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self::with_more(options, true, |builder| builder).await
    }

    /// A world that probes endpoints, and tells a webhook.
    pub(crate) async fn probing(health: HealthCadence) -> Self {
        Self::built(|builder| {
            let config = json!({ "url": "https://hooks.example/certctl" });
            builder.cadence(Cadence { health: Some(health), ..Cadence::default() }).notifier(NotifierConfig {
                name: "hook".into(),
                kind: "Webhook".into(),
                config,
            })
        })
        .await
    }

    /// A world whose configuration names no key.
    pub(crate) async fn without_keys() -> Self {
        Self::with_more(Options::default(), false, |builder| builder).await
    }

    /// Makes the first administrator; gives the id of its key and the key.
    pub(crate) async fn bootstrap(&self) -> (String, String) {
        let token = self.engine.setup_token().await.unwrap().unwrap();
        let ask = json!({ "token": token.expose(), "name": "root" });
        let made = self.call(Method::POST, "/api/v1/auth/bootstrap", "", Some(ask)).await.expect(201);
        (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
    }

    /// A world whose engine is built with more.
    pub(crate) async fn built(more: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        Self::with_more(Options::default(), true, more).await
    }

    /// A world whose keys are the server's own, which make RSA quickly and are others each time.
    pub(crate) async fn with_real_keys(options: Options) -> Self {
        Self::with_doors(options, |builder| builder).await
    }

    /// The same, with an engine that is built with more.
    pub(crate) async fn with_doors(options: Options, more: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        let keys = Arc::new(SoftwareKeys::new(Arc::new(InlineSpawner::new())));
        Self::over(FakePorts::new(SEED, keys), options, true, more).await
    }

    async fn with_more(options: Options, keys: bool, more: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        Self::over(FakePorts::new(SEED, Arc::new(TestKeys)), options, keys, more).await
    }

    async fn over(
        fakes: FakePorts,
        options: Options,
        keys: bool,
        more: impl FnOnce(EngineBuilder) -> EngineBuilder,
    ) -> Self {
        let storage = Arc::new(MemoryStorage::new(SCHEMAS, fakes.ports().clock));
        Self::on(storage, fakes, options, keys, more).await
    }

    /// A world whose rows are in this store.
    pub(crate) async fn on(
        storage: Arc<dyn Storage>,
        fakes: FakePorts,
        options: Options,
        keys: bool,
        more: impl FnOnce(EngineBuilder) -> EngineBuilder,
    ) -> Self {
        let ports = fakes.ports();
        let sealing = SealingKey::generate(&*ports.rng);
        let keys = if keys { configured_keys() } else { Vec::new() };
        let builder = Engine::builder(storage, ports, SetupSecret::Key(sealing))
            .connectors(certctl_connectors::registry())
            .keys(keys);
        let engine = more(builder).build().await.unwrap();
        let router = router(engine.clone(), options);
        Self { fakes, engine, router }
    }

    /// Another server on the same store.
    pub(crate) async fn replica(&self) -> Self {
        self.replica_with(|builder| builder).await
    }

    /// The same, with an engine that is built with more.
    pub(crate) async fn replica_with(&self, more: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        // The first octets of the same seed: the key that the first server was given.
        let sealing = SealingKey::generate(&*FakePorts::new(SEED, Arc::new(TestKeys)).rng);
        let storage = self.engine.storage().clone();
        let builder = Engine::builder(storage, self.fakes.ports(), SetupSecret::Key(sealing));
        let builder = builder.connectors(certctl_connectors::registry()).keys(configured_keys());
        let engine = more(builder).build().await.unwrap();
        let router = router(engine.clone(), Options::default());
        Self { fakes: self.fakes.clone(), engine, router }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 16 << 20).await.unwrap();
        let (text, octets) = (String::from_utf8_lossy(&bytes).into_owned(), bytes.to_vec());
        Answer { status: parts.status, headers: parts.headers, text, octets }
    }

    /// What anybody is told who has no key.
    pub(crate) async fn fetch(&self, path: &str) -> Answer {
        self.call(Method::GET, path, "", None).await
    }

    pub(crate) async fn call(&self, method: Method, path: &str, key: &str, body: Option<Value>) -> Answer {
        let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
        let mut request = Request::builder().method(method).uri(path);
        if !key.is_empty() {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, ADMIN, None).await
    }
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, ADMIN, Some(body)).await
    }
    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, ADMIN, Some(body)).await
    }
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, ADMIN, None).await
    }

    /// Adds an agent; gives its credential.
    pub(crate) async fn agent(&self, id: &str) -> String {
        let agent = self.post("/api/v1/agents", json!({ "id": id, "name": id, "hostname": "host" })).await.expect(201);
        agent["credential"].as_str().unwrap().to_owned()
    }

    /// Adds a target that the agent serves.
    pub(crate) async fn target(&self, id: &str, agent: &str) {
        let target = json!({ "id": id, "name": id, "type": "NGINX", "agent_id": agent, "config": target_config() });
        self.post("/api/v1/targets", target).await.expect(201);
    }

    /// Adds a certificate; gives it as it was answered.
    pub(crate) async fn certificate(&self, id: &str, more: Value) -> Value {
        self.post("/api/v1/certificates", certificate(id, more)).await.expect(201)
    }
}

/// [`KEYS`], as a configuration has them.
fn configured_keys() -> Vec<ConfiguredKey> {
    let keys = KEYS.iter().map(|(key, role)| (*key, *role)).map(|(key, role)| {
        let name = if role == Role::Agent { "edge-1".into() } else { role.name().to_owned() };
        ConfiguredKey { name, key: Secret::new(key), role }
    });
    keys.collect()
}

/// What the NGINX connector needs.
pub(crate) fn target_config() -> Value {
    json!({ "cert_path": "/etc/nginx/tls/cert.pem", "key_path": "/etc/nginx/tls/key.pem" })
}

/// The request for a certificate, with more members or other ones.
pub(crate) fn certificate(id: &str, more: Value) -> Value {
    let mut request = json!({
        "id": id,
        "name": id,
        "common_name": format!("{id}.example.com"),
        "sans": [format!("www.{id}.example.com")],
        "owner_id": "o-default",
        "team_id": "team-default",
        "issuer_id": "iss-local",
        "renewal_policy_id": "rp-default",
    });
    let members = request.as_object_mut().unwrap();
    members.extend(more.as_object().cloned().unwrap_or_default());
    request
}

/// A signing request for the names of [`certificate`], with a key of its own.
pub(crate) async fn csr(id: &str, seed: u64) -> String {
    let key = TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(seed)).await.unwrap();
    let names = SubjectNames::new(&format!("{id}.example.com"), &[format!("www.{id}.example.com")]).unwrap();
    pki::csr::build(&names, &*key.signer).await.unwrap().to_pem()
}
