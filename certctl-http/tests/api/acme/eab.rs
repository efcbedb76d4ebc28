//! Accounts that need a credential.

use axum::http::Method;
use serde_json::json;

use super::binding::{CREDENTIALS, binding, bound, credential, needing};
use super::client::{Client, encode, jwk, problem};
use crate::world::{OPERATOR, World};

#[tokio::test]
async fn a_credential_makes_one_account() {
    let world = World::acme(needing()).await;
    let directory = world.call(Method::GET, "/acme/directory", "", None).await.expect(200);
    assert_eq!(directory["meta"]["externalAccountRequired"], true);
    let mut client = Client::stranger(&world, 1).await;
    assert_eq!(problem(&client.register(json!({})).await, 403), "externalAccountRequired");
    let credential = credential(&world, json!({})).await;
    assert!(credential.get("key").is_none() && credential.get("used_at").is_none());
    client.register(bound(binding(&client, &credential, &json!({})))).await.expect(201);
    let account = client.kid.as_deref().unwrap().rsplit('/').next().unwrap();
    let listed = world.get(CREDENTIALS).await;
    assert!(!listed.text.contains(credential["hmac_key"].as_str().unwrap()));
    let listed = listed.expect(200)["data"][0].clone();
    assert_eq!((&listed["account_id"], &listed["id"]), (&json!(account), &credential["id"]));
    // Its key is found again without it, and with it no other one is made.
    client.kid = None;
    client.register(json!({ "onlyReturnExisting": true })).await.expect(200);
    let mut second = Client::stranger(&world, 2).await;
    assert_eq!(problem(&second.register(bound(binding(&second, &credential, &json!({})))).await, 401), "unauthorized");
    client.obtain(&["a.example"], 3).await;
}

#[tokio::test]
async fn a_binding_is_really_verified() {
    let world = World::acme(needing()).await;
    let mut client = Client::stranger(&world, 1).await;
    let made = credential(&world, json!({})).await;
    let other = credential(&world, json!({})).await;
    for (more, expected) in [
        (json!({ "alg": "none" }), "badSignatureAlgorithm"),
        (json!({ "alg": "EdDSA" }), "badSignatureAlgorithm"),
        (json!({ "url": "http://localhost/acme/new-order" }), "malformed"),
        (json!({ "nonce": "AAAA" }), "malformed"),
        (json!({ "kid": null }), "malformed"),
        (json!({ "kid": null, "jwk": jwk(&*client.key) }), "malformed"),
    ] {
        let binding = binding(&client, &made, &more);
        assert_eq!(problem(&client.register(bound(binding)).await, 400), expected, "{more}");
    }
    let mut forged = binding(&client, &made, &json!({}));
    forged["signature"] = json!(encode([7; 32]));
    let mut short = binding(&client, &made, &json!({}));
    short["signature"] = json!("");
    let by_another = binding(&client, &other, &json!({ "kid": made["id"] }));
    let unknown = binding(&client, &made, &json!({ "kid": "eab-none" }));
    for wrong in [forged, short, by_another, unknown] {
        assert_eq!(problem(&client.register(bound(wrong)).await, 401), "unauthorized");
    }
    // The binding of another client's key.
    let foreign = binding(&Client::stranger(&world, 2).await, &made, &json!({}));
    assert_eq!(problem(&client.register(bound(foreign)).await, 400), "malformed");
    for wrong in [json!(null), json!("text"), json!({}), json!([])] {
        let answer = client.register(bound(wrong)).await;
        assert!(answer.status.is_client_error(), "{}", answer.text);
    }
    // None of it has used the credential up.
    client.register(bound(binding(&client, &made, &json!({})))).await.expect(201);
}

#[tokio::test]
async fn a_credential_may_end_be_for_one_profile_and_be_deleted() {
    let mut config = needing();
    let profile = config.profiles.values().next().unwrap().clone();
    config.profiles.insert("prof-b".parse().unwrap(), profile);
    let world = World::acme(config).await;
    let mut client = Client::stranger(&world, 1).await;
    let elsewhere = credential(&world, json!({ "profile_id": "prof-b" })).await;
    assert_eq!(problem(&client.register(bound(binding(&client, &elsewhere, &json!({})))).await, 401), "unauthorized");
    let now = certctl_core::testing::ManualClock::START;
    let ends = (now + std::time::Duration::from_secs(60)).to_rfc3339();
    let short = credential(&world, json!({ "expires_at": ends })).await;
    world.fakes.clock.advance(std::time::Duration::from_secs(61));
    assert_eq!(problem(&client.register(bound(binding(&client, &short, &json!({})))).await, 401), "unauthorized");
    let gone = credential(&world, json!({})).await;
    let path = format!("{CREDENTIALS}/{}", gone["id"].as_str().unwrap());
    assert_eq!(world.delete(&path).await.status.as_u16(), 204);
    assert_eq!(world.delete(&path).await.problem(404), "not_found");
    assert_eq!(problem(&client.register(bound(binding(&client, &gone, &json!({})))).await, 401), "unauthorized");
    for body in [
        json!({}),
        json!({ "name": "" }),
        json!({ "name": "a", "expires_at": now.to_rfc3339() }),
        json!({ "name": "a", "profile_id": "prof-none" }),
    ] {
        world.post(CREDENTIALS, body).await.problem(400);
    }
    let asked = world.call(Method::POST, CREDENTIALS, OPERATOR, Some(json!({ "name": "a" }))).await;
    assert_eq!(asked.problem(403), "forbidden");
}
