//! From an order to a certificate in the inventory, where accounts are trusted.

use axum::body::Body;
use axum::http::{Method, Request};
use certctl_core::domain::{Certificate, KeyAlgorithm};
use certctl_core::enrol::acme::{AcmeAuthMode, AcmeConfig, AcmeProfile};
use certctl_core::pki;
use certctl_core::storage::View;
use serde_json::{Value, json};

use super::client::{Client, csr, csr_with, encode, identifiers, key, leaf, problem, serving};
use crate::world::{ADMIN, World};

async fn trusting() -> World {
    World::acme(serving(AcmeAuthMode::TrustAuthenticated)).await
}

#[tokio::test]
async fn the_directory_says_where_everything_is() {
    let config = AcmeConfig {
        website: Some("https://pki.example".into()),
        caa_identities: vec!["pki.example".into()],
        ..serving(AcmeAuthMode::TrustAuthenticated)
    };
    let world = World::acme(config).await;
    let answer = world.call(Method::GET, "/acme/directory", "", None).await;
    assert!(!answer.headers.contains_key("replay-nonce"));
    let expected = json!({
        "newNonce": "http://localhost/acme/new-nonce", "newAccount": "http://localhost/acme/new-account",
        "newOrder": "http://localhost/acme/new-order", "revokeCert": "http://localhost/acme/revoke-cert",
        "keyChange": "http://localhost/acme/key-change", "renewalInfo": "http://localhost/acme/renewal-info",
        "meta": {
            "externalAccountRequired": false, "website": "https://pki.example", "caaIdentities": ["pki.example"],
        },
    });
    assert_eq!(answer.expect(200), expected);
    let own = world.call(Method::GET, "/acme/profile/prof-default/directory", "", None).await.expect(200);
    assert_eq!(own["newOrder"], "http://localhost/acme/profile/prof-default/new-order");
    // Behind a host of another name.
    let request = Request::get("/acme/directory").header("host", "PKI.example:8443").body(Body::empty()).unwrap();
    assert_eq!(world.send(request).await.expect(200)["newOrder"], "http://pki.example:8443/acme/new-order");
    for missing in ["/acme/profile/prof-else/directory", "/acme/profile/a%20b/new-nonce", "/acme/else"] {
        assert_eq!(world.call(Method::GET, missing, "", None).await.problem(404), "not_found", "{missing}");
    }
    let nonce = world.call(Method::GET, "/acme/new-nonce", "", None).await;
    assert_eq!((nonce.status.as_u16(), nonce.header("cache-control"), nonce.text.as_str()), (204, "no-store", ""));
    // Without the server there is nothing at all.
    let without = World::new().await;
    assert_eq!(without.call(Method::GET, "/acme/directory", "", None).await.problem(404), "not_found");
}

#[tokio::test]
async fn an_order_becomes_a_certificate_of_the_inventory_and_the_next_one_renews_it() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let names = ["shop.example.com", "www.shop.example.com"];
    let (url, order) = client.order(&names).await;
    assert_eq!((&order["status"], &order["identifiers"]), (&json!("ready"), &identifiers(&names)));
    assert_eq!(order["finalize"], format!("{url}/finalize"));
    let authorization = client.read(order["authorizations"][0].as_str().unwrap()).await.expect(200);
    assert_eq!(authorization["status"], "valid");
    assert_eq!(authorization["identifier"], json!({ "type": "dns", "value": "shop.example.com" }));

    let finalized = client.finalize(&order, &csr(&names, 2).await).await;
    assert_eq!(finalized.header("location"), url);
    let finalized = finalized.expect(200);
    assert_eq!(finalized["status"], "valid");
    let chain = client.read(finalized["certificate"].as_str().unwrap()).await.text;
    let facts = pki::certificate::parse(&leaf(&chain)).unwrap();
    assert_eq!(facts.names.san_texts(), names);
    assert_eq!(client.read(&url).await.expect(200), finalized);

    let inventory = world.get("/api/v1/certificates").await.expect(200);
    assert_eq!(inventory["total"], 1);
    let managed = &inventory["data"][0];
    assert_eq!(managed["status"], "Active");
    let id = managed["id"].as_str().unwrap();
    let view = world.engine.storage().read(View::Latest).await.unwrap();
    assert_eq!(view.get::<Certificate>(id).await.unwrap().unwrap().source, "ACME");
    let version = world.get(&format!("/api/v1/certificates/{id}/versions")).await.expect(200)["data"][0].clone();
    assert_eq!(version["serial_number"], facts.serial.to_string());

    // The same names in another order and with another key: another version of the same certificate.
    world.fakes.clock.advance(std::time::Duration::from_secs(1));
    client.obtain(&["www.shop.example.com", "shop.example.com"], 3).await;
    world.fakes.clock.advance(std::time::Duration::from_secs(1));
    let versions = world.get(&format!("/api/v1/certificates/{id}/versions")).await.expect(200);
    assert_eq!(versions["total"], 2);
    // Other names, or another account: another certificate.
    client.obtain(&["shop.example.com"], 4).await;
    Client::new(&world, 5).await.obtain(&names, 6).await;
    assert_eq!(world.get("/api/v1/certificates").await.expect(200)["total"], 3);

    let orders = client.read(&format!("{}/orders", client.kid.as_deref().unwrap())).await.expect(200);
    assert_eq!(orders["orders"].as_array().unwrap().len(), 3);
    assert_eq!(orders["orders"][2], url);
    let audit = world.get("/api/v1/audit?resource_type=certificate").await.expect(200);
    let actor = client.kid.as_deref().unwrap().rsplit('/').next().unwrap();
    assert!(audit["data"].as_array().unwrap().iter().any(|event| event["actor"] == format!("acme:{actor}")), "{audit}");
}

#[tokio::test]
async fn every_kind_of_key_and_name_is_certified() {
    let world = trusting().await;
    for (algorithm, seed) in [(KeyAlgorithm::EcdsaP256, 1), (KeyAlgorithm::EcdsaP384, 2), (KeyAlgorithm::Ed25519, 3)] {
        let mut client = Client::stranger(&world, 7).await;
        client.key = key(algorithm, seed).await;
        client.base = "/acme/profile/prof-default".into();
        client.register(json!({ "contact": ["mailto:ops@example.com"] })).await.expect(201);
        let (_, _, chain) = client.obtain(&["*.example.com", "192.0.2.7", "2001:db8::7"], 10 + seed).await;
        let facts = pki::certificate::parse(&leaf(&chain)).unwrap();
        assert_eq!(facts.names.san_texts(), ["*.example.com", "192.0.2.7", "2001:db8::7"]);
    }
}

#[tokio::test]
async fn a_request_must_be_for_the_order_and_its_key_for_nothing_else() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let names = ["a.example.com", "b.example.com"];
    let (url, order) = client.order(&names).await;
    for (csr, why) in [
        (csr(&["a.example.com"], 2).await, "a name is missing"),
        (csr(&["a.example.com", "b.example.com", "c.example.com"], 2).await, "there is one more"),
        (csr_with(&names, &*client.key).await, "the account's own key"),
        ("AAAA".to_owned(), "no DER"),
        ("a b".to_owned(), "no base64url"),
        (String::new(), "nothing"),
    ] {
        assert_eq!(problem(&client.finalize(&order, &csr).await, 400), "badCSR", "{why}");
        assert_eq!(client.read(&url).await.expect(200)["status"], "ready", "{why}");
    }
    // Somebody else's order is none at all.
    let other = Client::new(&world, 3).await;
    assert_eq!(problem(&other.finalize(&order, &csr(&names, 4).await).await, 404), "malformed");
    assert_eq!(problem(&other.read(&url).await, 404), "malformed");
    assert_eq!(problem(&other.read(order["authorizations"][0].as_str().unwrap()).await, 404), "malformed");
    let valid = client.finalize(&order, &csr(&names, 4).await).await.expect(200);
    assert_eq!(problem(&other.read(valid["certificate"].as_str().unwrap()).await, 404), "malformed");
    // It is finalized once.
    assert_eq!(problem(&client.finalize(&order, &csr(&names, 5).await).await, 403), "orderNotReady");
    // The key of one certificate is not that of another.
    let (_, second) = client.order(&["c.example.com"]).await;
    assert_eq!(problem(&client.finalize(&second, &csr(&["c.example.com"], 4).await).await, 400), "badCSR");
}

#[tokio::test]
async fn a_profile_decides_which_names_and_keys_there_are() {
    let profile = AcmeProfile::new(AcmeAuthMode::TrustAuthenticated);
    let mut config = serving(AcmeAuthMode::TrustAuthenticated);
    config.profiles.insert("prof-shop".parse().unwrap(), profile.clone());
    config.profiles.insert("prof-gone".parse().unwrap(), profile);
    let world = World::acme(config).await;
    let rules = json!({
        "id": "prof-shop", "name": "shop", "required_san_patterns": ["*.shop.example"],
        "allowed_key_algorithms": [{ "algorithm": "ECDSA", "min_size": 384 }], "max_ttl_seconds": 7_200,
    });
    world.post("/api/v1/profiles", rules).await.expect(201);
    let mut client = Client::stranger(&world, 1).await;
    client.base = "/acme/profile/prof-shop".into();
    client.register(json!({})).await.expect(201);
    let refused = client.try_order(&["a.shop.example", "a.bank.example", "b.bank.example"]).await;
    assert_eq!(problem(&refused, 400), "rejectedIdentifier");
    let subproblems = refused.json()["subproblems"].as_array().unwrap().clone();
    let names: Vec<&Value> = subproblems.iter().map(|sub| &sub["identifier"]["value"]).collect();
    assert_eq!(names, ["a.bank.example", "b.bank.example"]);
    let (_, order) = client.order(&["a.shop.example"]).await;
    assert_eq!(problem(&client.finalize(&order, &csr(&["a.shop.example"], 2).await).await, 400), "badCSR");
    let strong = key(KeyAlgorithm::EcdsaP384, 3).await;
    let order = client.finalize(&order, &csr_with(&["a.shop.example"], &*strong).await).await.expect(200);
    let chain = client.read(order["certificate"].as_str().unwrap()).await.text;
    let facts = pki::certificate::parse(&leaf(&chain)).unwrap();
    assert!(facts.not_after.since(facts.not_before) <= std::time::Duration::from_secs(7_200 + 600));
    // An account of one directory is none of another.
    let mut elsewhere = Client::stranger(&world, 1).await;
    elsewhere.kid = client.kid.clone();
    assert_eq!(problem(&elsewhere.try_order(&["a.shop.example"]).await, 400), "accountDoesNotExist");
    // What the operator has to mend is no fault of the client.
    let mut closed = Client::stranger(&world, 4).await;
    closed.base = "/acme/profile/prof-gone".into();
    closed.register(json!({})).await.expect(201);
    assert_eq!(problem(&closed.try_order(&["a.shop.example"]).await, 500), "serverInternal");
}

#[tokio::test]
async fn what_cannot_be_ordered_is_refused() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let url = client.url("new-order");
    let many: Vec<Value> = (0..101).map(|n| json!({ "type": "dns", "value": format!("h{n}.example") })).collect();
    for (payload, expected) in [
        (json!({}), "malformed"),
        (json!({ "identifiers": [] }), "malformed"),
        (json!({ "identifiers": many }), "malformed"),
        (json!({ "identifiers": [{ "type": "dns" }] }), "malformed"),
        (json!({ "identifiers": [{ "type": "email", "value": "a@b.example" }] }), "unsupportedIdentifier"),
        (json!({ "identifiers": [{ "type": "dns", "value": "bücher.example" }] }), "rejectedIdentifier"),
        (json!({ "identifiers": [{ "type": "dns", "value": "192.0.2.1" }] }), "rejectedIdentifier"),
        (json!({ "identifiers": [{ "type": "dns", "value": "a.*.example" }] }), "rejectedIdentifier"),
        (json!({ "identifiers": [{ "type": "dns", "value": "a b\u{0}" }] }), "rejectedIdentifier"),
        (json!({ "identifiers": [{ "type": "ip", "value": "a.example" }] }), "rejectedIdentifier"),
        (json!({ "identifiers": identifiers(&["a.example"]), "notAfter": "2030-01-01T00:00:00Z" }), "malformed"),
        (json!({ "identifiers": identifiers(&["a.example"]), "replaces": "AAAA" }), "malformed"),
        (json!({ "identifiers": identifiers(&["a.example"]), "replaces": "AAAA.AQID" }), "malformed"),
        (json!([]), "malformed"),
    ] {
        assert_eq!(problem(&client.post(&url, Some(payload.clone())).await, 400), expected, "{payload}");
    }
    assert_eq!(problem(&client.post(&url, None).await, 400), "malformed");
    assert_eq!(world.get("/api/v1/certificates").await.expect(200)["total"], 0);
}

#[tokio::test]
async fn an_issuance_that_waits_for_approval_keeps_the_order_processing() {
    let mut config = serving(AcmeAuthMode::TrustAuthenticated);
    let profile = AcmeProfile::new(AcmeAuthMode::TrustAuthenticated);
    config.profiles.insert("prof-careful".parse().unwrap(), profile);
    let world = World::acme(config).await;
    let careful = json!({ "id": "prof-careful", "name": "careful", "requires_approval": true });
    world.post("/api/v1/profiles", careful).await.expect(201);
    let mut client = Client::stranger(&world, 1).await;
    client.base = "/acme/profile/prof-careful".into();
    client.register(json!({})).await.expect(201);
    for (name, verb, state, seed) in [("a.example", "approve", "valid", 2), ("b.example", "reject", "invalid", 3)] {
        let (url, order) = client.order(&[name]).await;
        let finalized = client.finalize(&order, &csr(&[name], seed).await).await;
        assert!(finalized.headers.contains_key("retry-after"));
        assert_eq!(finalized.expect(200)["status"], "processing");
        assert_eq!(client.read(&url).await.expect(200)["status"], "processing");
        let jobs = world.get("/api/v1/jobs?status=AwaitingApproval").await.expect(200);
        let job = jobs["data"][0]["id"].as_str().unwrap().to_owned();
        let body = (verb == "reject").then(|| json!({ "reason": "no" }));
        world.call(Method::POST, &format!("/api/v1/jobs/{job}/{verb}"), ADMIN, body).await.expect(200);
        world.engine.step().await.unwrap();
        world.engine.step().await.unwrap();
        let settled = client.read(&url).await.expect(200);
        assert_eq!(settled["status"], state, "{settled}");
        assert_eq!(settled.get("certificate").is_some(), verb == "approve");
        assert_eq!(settled.get("error").is_some(), verb == "reject");
    }
}

#[tokio::test]
async fn an_order_ends_with_its_authorizations() {
    let hour = std::time::Duration::from_secs(3_600);
    for (order_ttl, authorization_ttl) in [(hour * 24, hour), (hour, hour * 24)] {
        let config = AcmeConfig { order_ttl, authorization_ttl, ..serving(AcmeAuthMode::TrustAuthenticated) };
        let world = World::acme(config).await;
        let client = Client::new(&world, 1).await;
        let (url, order) = client.order(&["a.example"]).await;
        let authorization = client.read(order["authorizations"][0].as_str().unwrap()).await.expect(200);
        assert!(order["expires"].as_str().unwrap() <= authorization["expires"].as_str().unwrap(), "{order}");
        world.fakes.clock.advance(hour * 2);
        assert_eq!(problem(&client.finalize(&order, &csr(&["a.example"], 2).await).await, 403), "orderNotReady");
        assert_eq!(client.read(&url).await.expect(200)["status"], "invalid");
    }
}

/// How renewal information names a certificate (RFC 9773 §4.1).
fn renewal_id(chain: &str) -> String {
    let facts = pki::certificate::parse(&leaf(chain)).unwrap();
    format!("{}.{}", encode(facts.authority_key_id.as_ref().unwrap()), encode(facts.serial.to_integer()))
}

/// The order that says which certificate of the same names it replaces.
fn replacing(names: &[&str], id: &str) -> Value {
    json!({ "identifiers": identifiers(names), "replaces": id })
}

#[tokio::test]
async fn what_was_revoked_or_put_away_is_replaced_by_a_new_certificate() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let url = client.url("new-order");
    let names = ["a.example"];
    for (seed, archived) in [(2, false), (4, true)] {
        let (_, _, chain) = client.obtain(&names, seed).await;
        let before = world.get("/api/v1/certificates").await.expect(200)["total"].as_u64().unwrap();
        if archived {
            let live = world.get("/api/v1/certificates?status=Active").await.expect(200);
            let id = live["data"][0]["id"].as_str().unwrap().to_owned();
            world.delete(&format!("/api/v1/certificates/{id}")).await.expect(204);
        } else {
            assert_eq!(client.revoke(&leaf(&chain), Some(4)).await.status.as_u16(), 200);
        }
        // The client is told to renew at once, and does.
        let order = client.post(&url, Some(replacing(&names, &renewal_id(&chain)))).await.expect(201);
        let valid = client.finalize(&order, &csr(&names, seed + 1).await).await.expect(200);
        assert_eq!(valid["status"], "valid", "{valid}");
        let live = world.get("/api/v1/certificates?status=Active").await.expect(200);
        assert_eq!(live["total"], 1);
        let all = world.get("/api/v1/certificates").await.expect(200)["total"].as_u64().unwrap();
        // What is archived is listed no more.
        assert_eq!(all, if archived { before } else { before + 1 });
    }
}

#[tokio::test]
async fn what_is_on_hold_is_replaced_when_it_is_released() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let (_, _, chain) = client.obtain(&["a.example"], 2).await;
    let listed = world.get("/api/v1/certificates").await.expect(200);
    let path = format!("/api/v1/certificates/{}", listed["data"][0]["id"].as_str().unwrap());
    world.post(&format!("{path}/revoke"), json!({ "reason": "certificateHold" })).await.expect(200);
    let asked = Some(replacing(&["a.example"], &renewal_id(&chain)));
    let order = client.post(&client.url("new-order"), asked).await.expect(201);
    let refused = client.finalize(&order, &csr(&["a.example"], 3).await).await;
    assert_eq!(problem(&refused, 401), "unauthorized");
    assert!(refused.json()["detail"].as_str().unwrap().contains("on hold"), "{}", refused.text);
    // Another key would not help.
    let refused = client.finalize(&order, &csr(&["a.example"], 2).await).await;
    assert_eq!(problem(&refused, 401), "unauthorized");
    world.post(&format!("{path}/release"), json!({})).await.expect(200);
    client.finalize(&order, &csr(&["a.example"], 3).await).await.expect(200);
    assert_eq!(world.get("/api/v1/certificates").await.expect(200)["total"], 1);
}

#[tokio::test]
async fn a_version_that_was_revoked_alone_is_replaced_by_another_of_its_certificate() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let names = ["a.example"];
    let (_, _, old) = client.obtain(&names, 2).await;
    client.obtain(&names, 3).await;
    assert_eq!(client.revoke(&leaf(&old), Some(4)).await.status.as_u16(), 200);
    let order = client.post(&client.url("new-order"), Some(replacing(&names, &renewal_id(&old)))).await.expect(201);
    assert_eq!(client.finalize(&order, &csr(&names, 4).await).await.expect(200)["status"], "valid");
    assert_eq!(world.get("/api/v1/certificates").await.expect(200)["total"], 1);
}

#[tokio::test]
async fn clients_learn_when_to_renew_and_say_what_they_replace() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let (_, _, chain) = client.obtain(&["a.example"], 2).await;
    let facts = pki::certificate::parse(&leaf(&chain)).unwrap();
    let authority = encode(facts.authority_key_id.as_ref().unwrap());
    let id = renewal_id(&chain);
    let info = world.call(Method::GET, &format!("/acme/renewal-info/{id}"), "", None).await;
    assert_eq!(info.header("retry-after"), "21600");
    let info = info.expect(200);
    let (start, end) =
        (info["suggestedWindow"]["start"].as_str().unwrap(), info["suggestedWindow"]["end"].as_str().unwrap());
    assert!(
        facts.not_before.to_rfc3339().as_str() < start && start < end && end < facts.not_after.to_rfc3339().as_str()
    );
    let unknown = format!("{authority}.AQID");
    for (path, status) in [("AAAA", 400), ("AAAA.AAAA", 400), ("AAAA.AQID", 404), (&*unknown, 404), ("a b.c", 400)] {
        let path = format!("/acme/renewal-info/{}", path.replace(' ', "%20"));
        assert_eq!(problem(&world.call(Method::GET, &path, "", None).await, status), "malformed", "{path}");
    }
    let url = client.url("new-order");
    assert_eq!(problem(&client.post(&url, Some(replacing(&["b.example"], &id))).await, 400), "malformed");
    let other = Client::new(&world, 3).await;
    assert_eq!(problem(&other.post(&url, Some(replacing(&["a.example"], &id))).await, 403), "unauthorized");
    let made = client.post(&url, Some(replacing(&["a.example"], &id))).await;
    let at = made.header("location").to_owned();
    let order = made.expect(201);
    // It is in the order from the first answer on (RFC 9773 §5).
    assert_eq!(order["replaces"], id);
    assert_eq!(client.read(&at).await.expect(200)["replaces"], id);
    // Nobody else may replace it now.
    assert_eq!(problem(&client.post(&url, Some(replacing(&["a.example"], &id))).await, 409), "alreadyReplaced");
    assert_eq!(client.finalize(&order, &csr(&["a.example"], 4).await).await.expect(200)["replaces"], id);
    let (_, without) = client.order(&["a.example"]).await;
    assert!(without.get("replaces").is_none());
    assert_eq!(world.get("/api/v1/certificates").await.expect(200)["total"], 1);
    assert_eq!(problem(&client.post(&url, Some(replacing(&["a.example"], &id))).await, 409), "alreadyReplaced");
}
