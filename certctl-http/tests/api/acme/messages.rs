//! Messages that are not what they should be, each with the error of the protocol; nothing comes of them.

use axum::body::Body;
use axum::http::{Method, Request};
use certctl_core::domain::KeyAlgorithm;
use certctl_core::enrol::acme::AcmeAuthMode;
use serde_json::{Value, json};

use super::client::{Client, encode, identifiers, jwk, key, problem, serving, signed};
use crate::world::World;

async fn trusting() -> World {
    World::acme(serving(AcmeAuthMode::TrustAuthenticated)).await
}

#[tokio::test]
async fn a_wrong_header_is_refused_by_its_kind() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let other = Client::new(&world, 2).await;
    let url = client.url("new-order");
    let payload = json!({ "identifiers": identifiers(&["a.example"]) });
    let used = client.fresh_nonce().await;
    let mut header = client.header(&url).await;
    header["nonce"] = json!(used);
    let message = signed(&*client.key, &header, Some(&payload)).await.to_string();
    assert_eq!(client.send(&url, message.clone()).await.status.as_u16(), 201);
    // Sent once more, byte for byte.
    assert_eq!(problem(&client.send(&url, message).await, 400), "badNonce");
    let null = Value::Null;
    for (member, value, status, expected) in [
        ("nonce", json!("AAAA"), 400, "badNonce"),
        ("nonce", json!("x".repeat(46)), 400, "badNonce"),
        ("nonce", null.clone(), 400, "badNonce"),
        ("url", json!("http://localhost/acme/new-account"), 401, "unauthorized"),
        ("url", json!("https://localhost/acme/new-order"), 401, "unauthorized"),
        ("url", null.clone(), 400, "malformed"),
        ("alg", json!("none"), 400, "badSignatureAlgorithm"),
        ("alg", json!("HS256"), 400, "badSignatureAlgorithm"),
        ("alg", json!("RS256"), 400, "badSignatureAlgorithm"),
        ("alg", null.clone(), 400, "malformed"),
        ("kid", json!(other.kid), 400, "malformed"),
        ("kid", json!("http://localhost/acme/account/acct-none"), 400, "accountDoesNotExist"),
        ("kid", json!("http://else/acme/account/acct-none"), 400, "accountDoesNotExist"),
        ("kid", json!("http://localhost/acme/account/a%20b/c"), 400, "accountDoesNotExist"),
        ("kid", null.clone(), 400, "malformed"),
        ("jwk", jwk(&*client.key), 400, "malformed"),
        ("crit", json!(["exp"]), 400, "malformed"),
        ("b64", json!(false), 400, "malformed"),
    ] {
        let mut header = client.header(&url).await;
        header[member] = value.clone();
        let message = signed(&*client.key, &header, Some(&payload)).await.to_string();
        let answer = client.send(&url, message).await;
        assert_eq!(problem(&answer, status), expected, "{member} {value}");
        if expected == "badSignatureAlgorithm" {
            assert!(answer.json()["algorithms"].as_array().unwrap().contains(&json!("ES256")));
        }
    }
    // Signed with the key itself, where an account is asked for.
    let stranger = Client::stranger(&world, 1).await;
    assert_eq!(problem(&stranger.post(&url, Some(payload.clone())).await, 400), "malformed");
    // And the other way round.
    assert_eq!(problem(&client.post(&client.url("new-account"), Some(json!({}))).await, 400), "malformed");
    assert_eq!(world.get("/api/v1/certificates").await.expect(200)["total"], 0);
}

/// What is done to a message.
type Change = fn(&mut Value);

#[tokio::test]
async fn a_wrong_message_is_refused_whatever_is_wrong_with_it() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let url = client.url("new-order");
    let payload = json!({ "identifiers": identifiers(&["a.example"]) });
    let changes: [(&str, Change); 8] = [
        ("another signature", |message| message["signature"] = json!(encode([1; 64]))),
        ("no signature", |message| message["signature"] = json!("")),
        ("a short signature", |message| message["signature"] = json!("AAAA")),
        ("another payload", |message| message["payload"] = json!(encode("{}"))),
        ("no payload", |message| message["payload"] = Value::Null),
        ("an unprotected header", |message| message["header"] = json!({ "alg": "none" })),
        ("several signatures", |message| message["signatures"] = json!([])),
        ("a header that is none", |message| message["protected"] = json!(encode("[]"))),
    ];
    for (what, change) in changes {
        let mut message = signed(&*client.key, &client.header(&url).await, Some(&payload)).await;
        change(&mut message);
        assert_eq!(problem(&client.send(&url, message.to_string()).await, 400), "malformed", "{what}");
    }
    for message in ["", "{}", "[]", "null", "eyJ.eyJ.eyJ", "\u{0}"] {
        assert_eq!(problem(&client.send(&url, message.to_owned()).await, 400), "malformed", "{message}");
    }
    assert_eq!(problem(&client.send(&url, " ".repeat(200_000)).await, 413), "malformed");
    let path = "/acme/new-order";
    let kinds = ["application/json", "", "text/plain"];
    for kind in kinds {
        let request = Request::builder().method(Method::POST).uri(path).header("content-type", kind);
        let answer = world.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(problem(&answer, 415), "malformed");
        assert!(!answer.header("replay-nonce").is_empty());
    }
    // Resources are read by POST alone (RFC 8555 §6.3).
    for path in ["/acme/new-order", "/acme/order/ord-1", "/acme/account/acct-1", "/acme/cert/ord-1"] {
        let answer = world.call(Method::GET, path, "", None).await;
        assert_eq!(problem(&answer, 405), "malformed");
        assert_eq!(answer.header("allow"), "POST");
        assert_eq!(answer.header("link"), "<http://localhost/acme/directory>;rel=\"index\"");
    }
    // What is only read takes no payload.
    let (order, _) = client.order(&["a.example"]).await;
    assert_eq!(problem(&client.post(&order, Some(json!({}))).await, 400), "malformed");
}

#[tokio::test]
async fn a_key_that_is_none_of_an_account_is_refused() {
    let world = trusting().await;
    let client = Client::stranger(&world, 1).await;
    let url = client.url("new-account");
    let curve = key(KeyAlgorithm::EcdsaP256, 1).await;
    let mut off_the_curve = jwk(&*curve);
    off_the_curve["y"] = off_the_curve["x"].clone();
    for (jwk, expected) in [
        (json!({ "kty": "oct", "k": encode([1; 32]) }), "badPublicKey"),
        (json!({ "kty": "RSA", "n": encode([0xff; 128]), "e": "AQAB" }), "badPublicKey"),
        (json!({ "kty": "OKP", "crv": "X25519", "x": encode([1; 32]) }), "badPublicKey"),
        (json!({ "kty": "EC", "crv": "P-256", "x": "", "y": "" }), "badPublicKey"),
        (json!({}), "malformed"),
        (json!("text"), "malformed"),
    ] {
        let mut header = client.header(&url).await;
        header["jwk"] = jwk.clone();
        let message = signed(&*client.key, &header, Some(&json!({}))).await.to_string();
        assert_eq!(problem(&client.send(&url, message).await, 400), expected, "{jwk}");
    }
    let mut header = client.header(&url).await;
    (header["jwk"], header["alg"]) = (off_the_curve, json!("ES256"));
    let message = signed(&*curve, &header, Some(&json!({}))).await.to_string();
    assert_eq!(problem(&client.send(&url, message).await, 400), "malformed");
}
