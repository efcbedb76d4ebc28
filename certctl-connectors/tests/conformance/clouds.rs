//! The clouds: each by what its public documentation says that it answers, on a scripted network.

#![expect(clippy::unwrap_used, reason = "a subject that cannot be set up fails its cases")]

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl_connectors::host::{OsRng, SoftwareKeys};
use certctl_core::domain::KeyAlgorithm;
use certctl_core::pki::private_key;
use certctl_core::ports::{HttpRequest, HttpResponse, Keys};
use certctl_core::testing::discovery::{FIRST, Reaction, SECOND, Subject, Unusable};
use certctl_core::testing::{FakePorts, InlineSpawner, ScriptedHttp, block_on};
use serde_json::{Value, json};

/// Answers every request as the reaction says, and by the rule where the other side answers.
fn react(
    world: &FakePorts,
    reaction: Reaction,
    secret: &str,
    rule: impl Fn(&HttpRequest) -> HttpResponse + Send + 'static,
) {
    world.http.clear();
    let answer = match reaction {
        Reaction::Answer => return world.http.handle(move |request, _| Some(Ok(rule(request)))),
        Reaction::Vanish => return,
        Reaction::RefuseCredentials => ScriptedHttp::response(401, secret.to_owned()),
        Reaction::Throttle(pause) => HttpResponse {
            headers: vec![("retry-after".to_owned(), pause.as_secs().to_string())],
            ..ScriptedHttp::response(429, "")
        },
        Reaction::Fail => ScriptedHttp::response(503, secret.to_owned()),
        Reaction::Babble => ScriptedHttp::response(200, format!("[\"{secret}\"")),
    };
    world.http.handle(move |_, _| Some(Ok(answer.clone())));
}

fn good(body: &Value) -> HttpResponse {
    ScriptedHttp::json(200, body)
}

fn refused() -> HttpResponse {
    ScriptedHttp::json(404, &json!({}))
}

/// With one member changed.
fn with(config: Value, member: &str, value: Value) -> Value {
    let mut config = config;
    config[member] = value;
    config
}

pub(crate) struct Aws;

impl Aws {
    const KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const TOKEN: &str = "the-session-token-of-the-suite";
}

impl Subject for Aws {
    fn config(&self) -> Value {
        json!({ "region": "eu-central-1", "access_key_id": "AKIDEXAMPLE", "secret_access_key": Self::KEY,
                "session_token": Self::TOKEN })
    }

    fn secrets(&self) -> Vec<String> {
        vec![Self::KEY.to_owned(), Self::TOKEN.to_owned()]
    }

    fn unusable(&self) -> Vec<Unusable> {
        let wrong = |member: &str, value: Value| with(self.config(), member, value);
        vec![
            Unusable::at("/region", wrong("region", json!("evil.example/"))),
            Unusable::at("/access_key_id", wrong("access_key_id", json!("a b"))),
            Unusable::at("/secret_access_key", wrong("secret_access_key", json!(""))),
            Unusable::at("/tag_filter", wrong("tag_filter", json!("certificate"))),
            Unusable::at("/endpoint", wrong("endpoint", json!("https://user@host/"))),
        ]
    }

    fn react(&self, world: &FakePorts, reaction: Reaction) {
        react(world, reaction, Self::KEY, |request| {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let entry =
                |name: &str| json!({ "ARN": name, "Name": name, "Tags": [{ "Key": "type", "Value": "certificate" }] });
            let binary = |octets: &[u8]| good(&json!({ "SecretBinary": STANDARD.encode(octets) }));
            match (body["SecretId"].as_str(), body["NextToken"].as_str()) {
                (Some("first"), _) => binary(FIRST),
                (Some("second"), _) => binary(SECOND),
                (Some(_), _) => refused(),
                (None, None) => good(&json!({ "SecretList": [entry("first")], "NextToken": "n" })),
                (None, Some(_)) => good(&json!({ "SecretList": [entry("second"), entry("gone")] })),
            }
        });
    }
}

pub(crate) struct Azure;

impl Azure {
    const SECRET: &str = "the-client-secret-of-the-suite";
    const VAULT: &str = "https://suite.vault.azure.net";
}

impl Subject for Azure {
    fn config(&self) -> Value {
        json!({ "vault_url": Self::VAULT, "tenant_id": "tenant-1", "client_id": "client-1", "client_secret": Self::SECRET })
    }

    fn secrets(&self) -> Vec<String> {
        vec![Self::SECRET.to_owned()]
    }

    fn unusable(&self) -> Vec<Unusable> {
        let wrong = |member: &str, value: Value| with(self.config(), member, value);
        vec![
            Unusable::at("/vault_url", wrong("vault_url", json!("http://suite.vault.azure.net"))),
            Unusable::at("/vault_url", wrong("vault_url", json!("https://suite.vault.azure.net/certificates"))),
            Unusable::at("/tenant_id", wrong("tenant_id", json!("../other"))),
            Unusable::at("/client_id", wrong("client_id", json!(""))),
            Unusable::at("/client_secret", wrong("client_secret", json!(""))),
        ]
    }

    fn react(&self, world: &FakePorts, reaction: Reaction) {
        react(world, reaction, Self::SECRET, |request| {
            let entry = |name: &str| json!({ "id": format!("{}/certificates/{name}", Self::VAULT) });
            let next = format!("{}/certificates?api-version=7.4&$skiptoken=n", Self::VAULT);
            let cer = |octets: &[u8]| good(&json!({ "cer": STANDARD.encode(octets) }));
            match (request.url.path(), request.url.as_str() == next) {
                ("/tenant-1/oauth2/v2.0/token", _) => good(&json!({ "access_token": "t", "expires_in": 3599 })),
                ("/certificates", false) => good(&json!({ "value": [entry("first")], "nextLink": next })),
                ("/certificates", true) => good(&json!({ "value": [entry("second"), entry("gone")] })),
                ("/certificates/first", _) => cer(FIRST),
                ("/certificates/second", _) => cer(SECOND),
                _ => refused(),
            }
        });
    }
}

pub(crate) struct Gcp {
    /// The key file of a service account, with a key of its own.
    account: String,
    key: String,
}

impl Gcp {
    pub(crate) fn new() -> Self {
        let keys = SoftwareKeys::new(Arc::new(InlineSpawner::new()));
        let key = block_on(keys.generate(KeyAlgorithm::Rsa { bits: 2048 }, &OsRng)).unwrap();
        let key = private_key::to_pem(&key.pkcs8).to_string();
        let account = json!({ "type": "service_account", "client_email": "suite@shop-1.iam.gserviceaccount.com", "private_key": key });
        Self { account: account.to_string(), key }
    }
}

impl Subject for Gcp {
    fn config(&self) -> Value {
        json!({ "project": "shop-1", "credentials": self.account })
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.account.clone()]
    }

    fn unusable(&self) -> Vec<Unusable> {
        let wrong = |member: &str, value: Value| with(self.config(), member, value);
        let keyless = json!({ "client_email": "a@b", "private_key": "none" }).to_string();
        vec![
            Unusable::at("/project", wrong("project", json!("../other"))),
            Unusable::at("/credentials", wrong("credentials", json!("no JSON"))),
            Unusable::at("/credentials", wrong("credentials", json!(keyless))),
        ]
    }

    fn keys(&self) -> Arc<dyn Keys> {
        Arc::new(SoftwareKeys::new(Arc::new(InlineSpawner::new())))
    }

    fn react(&self, world: &FakePorts, reaction: Reaction) {
        react(world, reaction, &self.key, |request| {
            let entry = |name: &str| json!({ "name": format!("projects/42/secrets/{name}") });
            let data = |octets: &[u8]| good(&json!({ "payload": { "data": STANDARD.encode(octets) } }));
            let is_second = request.url.query_pairs().any(|(name, _)| name == "pageToken");
            match (request.url.path(), is_second) {
                ("/token", _) => good(&json!({ "access_token": "t", "expires_in": 3599 })),
                ("/v1/projects/shop-1/secrets", false) => {
                    good(&json!({ "secrets": [entry("first")], "nextPageToken": "n" }))
                }
                ("/v1/projects/shop-1/secrets", true) => good(&json!({ "secrets": [entry("second"), entry("gone")] })),
                ("/v1/projects/42/secrets/first/versions/latest:access", _) => data(FIRST),
                ("/v1/projects/42/secrets/second/versions/latest:access", _) => data(SECOND),
                _ => refused(),
            }
        });
    }
}
