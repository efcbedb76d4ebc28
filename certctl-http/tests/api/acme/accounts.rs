//! Accounts: made, found, changed, given another key, closed.

use certctl_core::domain::KeyAlgorithm;
use certctl_core::enrol::acme::{AcmeAuthMode, AcmeConfig};
use serde_json::{Value, json};

use super::client::{Client, encode, jwk, key, problem, serving, signed};
use crate::world::World;

#[tokio::test]
async fn an_account_is_made_once_and_found_by_its_key() {
    let world = World::acme(serving(AcmeAuthMode::TrustAuthenticated)).await;
    let mut client = Client::stranger(&world, 1).await;
    let missing = client.register(json!({ "onlyReturnExisting": true })).await;
    assert_eq!(problem(&missing, 400), "accountDoesNotExist");
    let made = client.register(json!({ "contact": ["mailto:ops@example.com"] })).await;
    let url = made.header("location").to_owned();
    let made = made.expect(201);
    let expected = json!({
        "status": "valid", "contact": ["mailto:ops@example.com"], "termsOfServiceAgreed": false,
        "orders": format!("{url}/orders"),
    });
    assert_eq!(made, expected);
    client.kid = None;
    for payload in [json!({ "onlyReturnExisting": true }), json!({ "contact": ["mailto:else@example.com"] })] {
        let found = client.register(payload).await;
        assert_eq!(found.header("location"), url);
        assert_eq!(found.expect(200), expected);
        client.kid = None;
    }
    let audit = world.get("/api/v1/audit?action=acme_account_created").await.expect(200);
    assert_eq!((&audit["total"], &audit["data"][0]["actor_type"]), (&json!(1), &json!("Machine")));
}

#[tokio::test]
async fn an_account_changes_its_contacts_and_is_closed_for_good() {
    let world = World::acme(serving(AcmeAuthMode::TrustAuthenticated)).await;
    let client = Client::new(&world, 1).await;
    let url = client.kid.clone().unwrap();
    let changed = client.post(&url, Some(json!({ "contact": ["mailto:a@example.com"] }))).await.expect(200);
    assert_eq!(changed["contact"], json!(["mailto:a@example.com"]));
    assert_eq!(client.read(&url).await.expect(200), changed);
    for (payload, expected) in [
        (json!({ "contact": ["tel:+1"] }), "unsupportedContact"),
        (json!({ "contact": ["mailto:a"] }), "invalidContact"),
        (json!({ "contact": "mailto:a@example.com" }), "malformed"),
        (json!({ "status": "revoked" }), "malformed"),
    ] {
        assert_eq!(problem(&client.post(&url, Some(payload)).await, 400), expected);
    }
    let other = Client::new(&world, 2).await;
    assert_eq!(problem(&other.read(&url).await, 401), "unauthorized");
    assert_eq!(problem(&other.read(&format!("{url}/orders")).await, 401), "unauthorized");
    let closed = client.post(&url, Some(json!({ "status": "deactivated" }))).await.expect(200);
    assert_eq!(closed["status"], "deactivated");
    assert_eq!(problem(&client.read(&url).await, 401), "unauthorized");
    assert_eq!(problem(&client.try_order(&["a.example"]).await, 401), "unauthorized");
    let mut again = Client::stranger(&world, 1).await;
    assert_eq!(problem(&again.register(json!({})).await, 401), "unauthorized");
}

#[tokio::test]
async fn terms_have_to_be_agreed_to() {
    let terms_of_service = Some("https://pki.example/terms".to_owned());
    let world = World::acme(AcmeConfig { terms_of_service, ..serving(AcmeAuthMode::TrustAuthenticated) }).await;
    let mut client = Client::stranger(&world, 1).await;
    assert_eq!(problem(&client.register(json!({})).await, 403), "userActionRequired");
    let made = client.register(json!({ "termsOfServiceAgreed": true })).await.expect(201);
    assert_eq!(made["termsOfServiceAgreed"], true);
}

/// The inner message of a change to this key.
async fn change(client: &Client<'_>, new: &dyn certctl_core::ports::Signer, more: Value) -> Value {
    let url = client.url("key-change");
    let algorithm = if new.algorithm() == KeyAlgorithm::Ed25519 { "EdDSA" } else { "ES256" };
    let mut header = json!({ "alg": algorithm, "jwk": jwk(new), "url": url });
    let mut payload = json!({ "account": client.kid, "oldKey": jwk(&*client.key) });
    for (target, part) in [(&mut header, "header"), (&mut payload, "payload")] {
        let members = more[part].as_object().cloned().unwrap_or_default();
        target.as_object_mut().unwrap().extend(members);
    }
    signed(new, &header, Some(&payload)).await
}

#[tokio::test]
async fn an_account_gets_another_key_if_both_sign() {
    let world = World::acme(serving(AcmeAuthMode::TrustAuthenticated)).await;
    let mut client = Client::new(&world, 1).await;
    let url = client.url("key-change");
    let new = key(KeyAlgorithm::EcdsaP256, 2).await;
    let foreign = Client::new(&world, 9).await;
    for more in [
        json!({ "header": { "nonce": "AAAA" } }),
        json!({ "header": { "url": "http://localhost/acme/else" } }),
        json!({ "header": { "jwk": null, "kid": client.kid } }),
        json!({ "payload": { "account": foreign.kid } }),
        json!({ "payload": { "account": "http://else/acme/account/x" } }),
        json!({ "payload": { "oldKey": jwk(&*new) } }),
        json!({ "payload": { "oldKey": null } }),
    ] {
        let inner = change(&client, &*new, more.clone()).await;
        assert_eq!(problem(&client.post(&url, Some(inner)).await, 400), "malformed", "{more}");
    }
    // Signed by another key than the one it names.
    let mut inner = change(&client, &*new, json!({})).await;
    inner["signature"] = json!(encode([7; 64]));
    assert_eq!(problem(&client.post(&url, Some(inner)).await, 400), "malformed");
    let taken = change(&client, &*foreign.key, json!({})).await;
    let taken = client.post(&url, Some(taken)).await;
    assert_eq!(taken.header("location"), foreign.kid.as_deref().unwrap());
    assert_eq!(problem(&taken, 409), "malformed");

    let inner = change(&client, &*new, json!({})).await;
    client.post(&url, Some(inner)).await.expect(200);
    // The old key is nobody's any more.
    assert_eq!(problem(&client.read(client.kid.as_deref().unwrap()).await, 400), "badSignatureAlgorithm");
    client.key = new;
    client.read(client.kid.as_deref().unwrap()).await.expect(200);
    client.obtain(&["a.example"], 5).await;
    // Five an hour, the first of which is over.
    for seed in 20..24 {
        let new = key(KeyAlgorithm::EcdsaP256, seed).await;
        let inner = change(&client, &*new, json!({})).await;
        client.post(&url, Some(inner)).await.expect(200);
        client.key = new;
    }
    let inner = change(&client, &*key(KeyAlgorithm::EcdsaP256, 30).await, json!({})).await;
    assert_eq!(problem(&client.post(&url, Some(inner)).await, 429), "rateLimited");
}
