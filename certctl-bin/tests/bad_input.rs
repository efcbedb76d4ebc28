//! Bad requests and bad configurations: each gets a clear answer with a stable code, and leaves the store as it was.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use certctl_connectors::host::{self, HostConfig};
use certctl_core::domain::{
    Csr, ExtendedKeyUsage, KeyAlgorithm, KeyFamily, KeyRule, Principal, SCHEMAS, SubjectNames, pem,
};
use certctl_core::engine::SetupSecret;
use certctl_core::entity::Row;
use certctl_core::error::ErrorKind;
use certctl_core::ops::certificate::{self, CsrOutcome};
use certctl_core::ops::{Operation, agent, issuer, profile, target};
use certctl_core::ports::{GeneratedKey, Ports};
use certctl_core::seal::SealingKey;
use certctl_core::storage::{MemoryStorage, Select, View};
use certctl_core::{Engine, Error, pki};
use serde_json::{Value, json};

/// The names of the certificate that the requests are for.
const NAME: &str = "shop.example.com";
const OTHER_NAME: &str = "www.shop.example.com";

#[test]
fn requests_that_are_no_requests_are_refused() {
    on_world(async |world| {
        let good = world.request(&[NAME, OTHER_NAME], &world.key(KeyAlgorithm::EcdsaP256).await).await;
        let text = good.to_pem();
        let pem_of = |label: &str, der: &[u8]| pem::encode(label, der);
        let with = |change: fn(&mut Vec<u8>)| {
            let mut der = good.der().to_vec();
            change(&mut der);
            pem_of("CERTIFICATE REQUEST", &der)
        };
        let bad_signature = with(|der| {
            // The last octet of the signature.
            let last = der.last_mut().unwrap();
            *last ^= 1;
        });
        let other_names = {
            // Signed for one name, sent with another of the same length.
            let mut der = good.der().to_vec();
            let at = der.windows(4).position(|window| window == b"shop").unwrap();
            der[at..at + 4].copy_from_slice(b"shep");
            pem_of("CERTIFICATE REQUEST", &der)
        };
        let cut = with(|der| der.truncate(der.len() / 2));
        let trailing = with(|der| der.push(0));
        let octets = pem_of("CERTIFICATE REQUEST", &[4, 2, 0, 0]);
        let nested = pem_of("CERTIFICATE REQUEST", &[0x30, 0x80].repeat(10_000));
        let cases: [(&str, String, &str); 12] = [
            ("empty", String::new(), "CSR"),
            ("no PEM", "-----BEGIN".into(), "CSR"),
            ("binary", "\u{0}\u{1}\u{2}".into(), "CSR"),
            ("another block", pem_of("CERTIFICATE", good.der()), "a CSR is a block `CERTIFICATE REQUEST`"),
            ("two at once", format!("{text}{text}"), "send one CSR at a time"),
            ("far too large", "A".repeat(4 << 20), "at most 65536 are read"),
            ("too large", pem_of("CERTIFICATE REQUEST", &vec![0x30; 70_000]), "at most 65536 are read"),
            ("cut off", cut, "make it anew"),
            ("something else in DER", octets, "make it anew"),
            ("deep", nested, "make it anew"),
            ("something follows", trailing, "send the CSR alone"),
            ("bad signature", bad_signature, "did not prove to hold the key"),
        ];
        for (what, csr_pem, fix) in cases {
            let error = world.refused(what, submit("mc-shop", &csr_pem)).await;
            has_field(what, &error, "/csr_pem", "bad_csr", fix);
        }
        let error = world.refused("forged names", submit("mc-shop", &other_names)).await;
        has_field("forged names", &error, "/csr_pem", "bad_csr", "did not prove to hold the key");
    });
}

#[test]
fn requests_for_other_names_are_refused() {
    on_world(async |world| {
        let key = world.key(KeyAlgorithm::EcdsaP256).await;
        let cases: [&[&str]; 5] = [
            &["evil.example.com"],
            &[NAME],
            &[NAME, OTHER_NAME, "evil.example.com"],
            &["*.example.com", OTHER_NAME],
            &[NAME, "192.0.2.1"],
        ];
        for names in cases {
            let what = names.join(", ");
            let csr = world.request(names, &key).await.to_pem();
            let error = world.refused(&what, submit("mc-shop", &csr)).await;
            has_field(&what, &error, "/csr_pem", "names_differ", "make a request for exactly the names");
        }
        // The same key with the right names is fine: nothing was held against it.
        let csr = world.request(&[NAME, OTHER_NAME], &key).await.to_pem();
        let outcome = world.engine.execute(&me(), submit("mc-shop", &csr)).await.unwrap();
        assert!(matches!(outcome, CsrOutcome::Signed { .. }), "{outcome:?}");
    });
}

#[test]
fn keys_that_the_profile_does_not_allow_are_refused() {
    on_world(async |world| {
        let create = profile::Create {
            id: Some("prof-p384".parse().unwrap()),
            name: "P-384 alone".into(),
            description: String::new(),
            allowed_key_algorithms: Some(vec![KeyRule { algorithm: KeyFamily::Ecdsa, min_size: 384 }]),
            max_ttl_seconds: 86_400,
            allowed_ekus: Some(vec![ExtendedKeyUsage::ServerAuth]),
            required_san_patterns: Vec::new(),
            spiffe_uri_pattern: String::new(),
            allow_short_lived: false,
            must_staple: false,
            requires_approval: false,
            enabled: true,
        };
        world.engine.execute(&me(), create).await.unwrap();
        let strict = certificate::Create {
            certificate_profile_id: Some("prof-p384".parse().unwrap()),
            ..order("mc-strict", "strict.example.com")
        };
        world.engine.execute(&me(), strict).await.unwrap();
        for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa { bits: 2048 }] {
            let what = algorithm.to_string();
            let csr = world.request(&["strict.example.com"], &world.key(algorithm).await).await.to_pem();
            let error = world.refused(&what, submit("mc-strict", &csr)).await;
            has_field(&what, &error, "", "key_algorithm", "it allows ECDSA of 384 bits or more");
        }
        let csr = world.request(&["strict.example.com"], &world.key(KeyAlgorithm::EcdsaP384).await).await.to_pem();
        world.engine.execute(&me(), submit("mc-strict", &csr)).await.unwrap();
    });
}

#[test]
fn a_key_belongs_to_one_certificate() {
    on_world(async |world| {
        let key = world.key(KeyAlgorithm::EcdsaP256).await;
        let csr = world.request(&[NAME, OTHER_NAME], &key).await.to_pem();
        world.engine.execute(&me(), submit("mc-shop", &csr)).await.unwrap();
        world.engine.execute(&me(), order("mc-blog", "blog.example.com")).await.unwrap();
        let csr = world.request(&["blog.example.com"], &key).await.to_pem();
        let error = world.refused("another's key", submit("mc-blog", &csr)).await;
        assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "key_in_use"), "{error}");
        assert!(error.message().contains("make a new key"), "{error}");

        let csr = world.request(&["blog.example.com"], &world.key(KeyAlgorithm::EcdsaP256).await).await.to_pem();
        let error = world.refused("no such certificate", submit("mc-none", &csr)).await;
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    });
}

#[test]
fn an_agent_gets_nothing_for_certificates_of_others() {
    on_world(async |world| {
        let key = world.key(KeyAlgorithm::EcdsaP256).await;
        let csr_pem = world.request(&[NAME, OTHER_NAME], &key).await.to_pem();
        let edge = Principal::agent("edge-1".parse().unwrap());
        let by_agent = agent::SubmitCsr {
            agent_id: "edge-1".parse().unwrap(),
            certificate_id: "mc-shop".parse().unwrap(),
            csr_pem: csr_pem.clone(),
        };
        let error = world.refused_to(&edge, "another's certificate", by_agent).await;
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        let for_itself = world.refused_to(&edge, "an operator's verb", submit("mc-shop", &csr_pem)).await;
        assert_eq!(for_itself.kind(), ErrorKind::Forbidden, "{for_itself}");

        let held =
            certificate::Create { agent_id: Some("edge-1".parse().unwrap()), ..order("mc-held", "held.example.com") };
        world.engine.execute(&me(), held).await.unwrap();
        let csr_pem = world.request(&["held.example.com"], &key).await.to_pem();
        let error = world.refused("an agent's certificate", submit("mc-held", &csr_pem)).await;
        assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "held_by_agents"), "{error}");
        assert!(error.message().contains("renew it there"), "{error}");
    });
}

#[test]
fn unknown_kinds_are_answered_with_what_is_compiled_in() {
    on_world(async |world| {
        let registry = certctl_connectors::registry();
        let issuers: Vec<&str> = registry.issuers().map(|info| info.kind).collect();
        let targets: Vec<&str> = registry.target_specs().map(|info| info.kind).collect();
        for kind in ["GenericCa2", "", "Ngnix", "no such thing", &"x".repeat(10_000)] {
            let error = world.refused(kind, issuer_of(kind, json!({}))).await;
            has_field(kind, &error, "/type", "unknown_type", &format!("compiled in: {}", issuers.join(", ")));
            let error = world.refused(kind, target_of(kind, json!({}))).await;
            has_field(kind, &error, "/type", "unknown_type", &format!("compiled in: {}", targets.join(", ")));
        }
        let error = world.refused("a slip", issuer_of("GenericCa2", json!({}))).await;
        has_field("a slip", &error, "/type", "unknown_type", "did you mean `GenericCA`?");
    });
}

#[test]
fn configurations_with_mistakes_are_refused_at_the_place() {
    on_world(async |world| {
        let site = |more: Value| {
            let mut config = json!({ "cert_path": "/etc/tls/a.pem", "key_path": "/etc/tls/a.key" });
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            config
        };
        let issuers = [
            (json!({ "validty_days": 30 }), "/config", "unknown field `validty_days`, expected one of"),
            (json!({ "validity_days": "thirty" }), "/config", "invalid type"),
            (json!({ "validity_days": 0 }), "/config/validity_days", "36500"),
            (json!({ "ca_cert_pem": "nonsense" }), "/config/ca_key_pem", "give the key"),
            (json!({ "ca_cert_pem": "nonsense", "ca_key_pem": "nonsense" }), "/config/ca_cert_pem", "PEM"),
            (json!({ "ca_key_algorithm": "DSA" }), "/config", "ECDSA-P256"),
            (json!([]), "/config", "give a JSON object"),
            (json!("GenericCA"), "/config", "give a JSON object"),
        ];
        for (config, pointer, fix) in issuers {
            let what = config.to_string();
            let error = world.refused(&what, issuer_of("GenericCA", config)).await;
            has_field(&what, &error, pointer, "bad_config", fix);
        }
        let targets = [
            (json!({}), "/config", "missing field `cert_path`"),
            (site(json!({ "reload_comand": ["nginx"] })), "/config", "unknown field `reload_comand`, expected one of"),
            (site(json!({ "key_mode": "0644" })), "/config/key_mode", "use 0600 or 0640"),
            (site(json!({ "cert_mode": "rw" })), "/config/cert_mode", "write octal such as 0644"),
            (site(json!({ "rollback_on_mismatch": true })), "/config/rollback_on_mismatch", "needs `host`"),
            (site(json!({ "host": "https://a.example" })), "/config/host", "without brackets or scheme"),
            (site(json!({ "host": "a.example", "port": 0 })), "/config/port", "use 1 to 65535"),
            (site(json!({ "owner": "root" })), "/config/owner", "user:group"),
            (json!({ "cert_path": "tls/a.pem" }), "/config/cert_path", "absolute"),
            (site(json!({ "chain_path": "/etc/tls/a.pem" })), "/config/chain_path", "/etc/tls/a.pem"),
        ];
        for (config, pointer, fix) in targets {
            let what = config.to_string();
            let error = world.refused(&what, target_of("NGINX", config)).await;
            has_field(&what, &error, pointer, "bad_config", fix);
        }
    });
}

#[test]
fn certificates_that_refer_to_nothing_are_refused() {
    on_world(async |world| {
        let cases: [(&str, certificate::Create, &str, &str); 6] = [
            (
                "no issuer",
                certificate::Create { issuer_id: "iss-none".parse().unwrap(), ..order("mc-a", "a.example.com") },
                "/issuer_id",
                "unknown_reference",
            ),
            (
                "no profile",
                certificate::Create {
                    certificate_profile_id: Some("prof-none".parse().unwrap()),
                    ..order("mc-a", "a.example.com")
                },
                "/certificate_profile_id",
                "unknown_reference",
            ),
            (
                "no policy",
                certificate::Create { renewal_policy_id: "rp-none".parse().unwrap(), ..order("mc-a", "a.example.com") },
                "/renewal_policy_id",
                "unknown_reference",
            ),
            ("no name", order("mc-a", "not a name"), "/common_name", ""),
            (
                "no alternative name",
                certificate::Create { sans: vec!["-x-.example.com".into()], ..order("mc-a", "a.example.com") },
                "/sans",
                "",
            ),
            (
                "too many names",
                certificate::Create {
                    sans: (0..200).map(|n| format!("n{n}.example.com")).collect(),
                    ..order("mc-a", "a.example.com")
                },
                "/sans",
                "",
            ),
        ];
        for (what, create, pointer, code) in cases {
            let error = world.refused(what, create).await;
            assert_eq!(error.kind(), ErrorKind::Invalid, "{what}: {error}");
            let field = error.fields().first().unwrap_or_else(|| panic!("{what}: no field in {error}"));
            assert!(field.pointer.starts_with(pointer), "{what}: {field:?}");
            assert!(code.is_empty() || field.code == code, "{what}: {field:?}");
        }
    });
}

/// An engine on an empty store, with one certificate to ask for and one agent.
struct World {
    engine: Engine,
    ports: Ports,
}

fn on_world(test: impl AsyncFnOnce(&World)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let world = World::new().await;
        test(&world).await;
    });
}

impl World {
    async fn new() -> Self {
        let ports = host::ports(&HostConfig::default()).unwrap();
        let store = Arc::new(MemoryStorage::new(SCHEMAS, ports.clock.clone()));
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[7; 32]).unwrap());
        let builder = Engine::builder(store, ports.clone(), secret).connectors(certctl_connectors::registry());
        let engine = builder.build().await.unwrap();
        let registration = agent::Registration {
            id: Some("edge-1".parse().unwrap()),
            name: "edge-1".into(),
            hostname: "host".into(),
            ..agent::Registration::default()
        };
        engine.execute(&me(), agent::Register { registration, enrol_token: None }).await.unwrap();
        let shop = certificate::Create { sans: vec![OTHER_NAME.into()], ..order("mc-shop", NAME) };
        engine.execute(&me(), shop).await.unwrap();
        Self { engine, ports }
    }

    async fn key(&self, algorithm: KeyAlgorithm) -> GeneratedKey {
        self.ports.keys.generate(algorithm, &*self.ports.rng).await.unwrap()
    }

    /// A request for these names, the first of them as common name.
    async fn request(&self, names: &[&str], key: &GeneratedKey) -> Csr {
        let sans: Vec<String> = names.iter().skip(1).map(|&name| name.to_owned()).collect();
        pki::csr::build(&SubjectNames::new(names[0], &sans).unwrap(), &*key.signer).await.unwrap()
    }

    /// The error of an operation, which must leave the store as it was.
    async fn refused<O>(&self, what: &str, operation: O) -> Error
    where
        O: Operation + 'static,
        O::Output: std::fmt::Debug,
    {
        self.refused_to(&me(), what, operation).await
    }

    async fn refused_to<O>(&self, principal: &Principal, what: &str, operation: O) -> Error
    where
        O: Operation + 'static,
        O::Output: std::fmt::Debug,
    {
        let before = self.everything().await;
        let result = self.engine.execute(principal, operation).await;
        let after = self.everything().await;
        for (table, rows) in &before {
            assert_eq!(rows, &after[table], "{what}: {table} is changed");
        }
        match result {
            Err(error) => error,
            Ok(done) => panic!("{what} is accepted: {done:?}"),
        }
    }

    /// Every row of every table.
    async fn everything(&self) -> BTreeMap<&'static str, Vec<Row>> {
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        let mut tables = BTreeMap::new();
        for &schema in SCHEMAS {
            let select =
                Select { schema, tests: Vec::new(), sort: 0, descending: false, after: None, offset: 0, limit: 10_000 };
            tables.insert(schema.table, view.select(&select).await.unwrap());
        }
        tables
    }
}

/// The error is about this member, has this code, and says how to mend it; the text stays readable.
fn has_field(what: &str, error: &Error, pointer: &str, code: &str, fix: &str) {
    assert_eq!(error.kind(), ErrorKind::Invalid, "{what}: {error}");
    let field = error.fields().first().unwrap_or_else(|| panic!("{what}: no field in {error}"));
    assert_eq!((field.pointer.as_str(), field.code), (pointer, code), "{what}: {field:?}");
    assert!(!error.message().starts_with(':'), "{what}: the message begins with nothing: {error}");
    assert!(field.detail.contains(fix), "{what}: `{}` does not say `{fix}`", field.detail);
    assert!(field.detail.len() < 2_000, "{what}: {} octets of text", field.detail.len());
}

fn submit(id: &str, csr_pem: &str) -> certificate::SubmitCsr {
    certificate::SubmitCsr { id: id.parse().unwrap(), csr_pem: csr_pem.to_owned() }
}

fn issuer_of(kind: &str, config: Value) -> issuer::Create {
    issuer::Create { id: None, name: "another".into(), kind: kind.to_owned(), config, enabled: true }
}

fn target_of(kind: &str, config: Value) -> target::Create {
    target::Create {
        id: None,
        name: "another".into(),
        kind: kind.to_owned(),
        agent_id: "edge-1".parse().unwrap(),
        config,
        enabled: true,
        client_auth: false,
    }
}

/// A certificate whose key is made elsewhere.
fn order(id: &str, name: &str) -> certificate::Create {
    certificate::Create {
        id: Some(id.parse().unwrap()),
        name: id.into(),
        common_name: name.into(),
        sans: Vec::new(),
        environment: String::new(),
        owner_id: "o-default".parse().unwrap(),
        team_id: "team-default".parse().unwrap(),
        issuer_id: "iss-local".parse().unwrap(),
        renewal_policy_id: "rp-default".parse().unwrap(),
        certificate_profile_id: None,
        target_ids: Vec::new(),
        agent_id: None,
        tags: BTreeMap::new(),
        issue: false,
    }
}

fn me() -> Principal {
    Principal::embedder("test")
}
