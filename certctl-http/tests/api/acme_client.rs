//! Certificates of an ACME CA, from the request to the chain: the CA finds the answers to its challenges at this server's door.

use axum::http::Method;
use certctl_core::connector::{ChallengeAnswer, Challenges};
use certctl_core::ports::Clock;
use certctl_core::testing::{AcmeCa, AcmeFault, MemoryChallenges, MemoryNames};
use serde_json::{Value, json};

use crate::world::{Answer, World, csr};

/// A world with an ACME issuer, and its CA, which sees what the test finds at the door.
async fn world(more: Value) -> (World, AcmeCa, MemoryChallenges) {
    let world = World::new().await;
    let seen = MemoryChallenges::new();
    let ca = AcmeCa::new(9, &world.fakes.clock, &seen, &MemoryNames::new());
    ca.attach(&world.fakes.http);
    let mut config = json!({ "directory_url": AcmeCa::DIRECTORY, "email": "ops@example.com" });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let issuer = json!({ "id": "iss-acme", "name": "acme", "type": "ACME", "config": config });
    world.post("/api/v1/issuers", issuer).await.expect(201);
    world.certificate("mc-1", json!({ "issuer_id": "iss-acme" })).await;
    (world, ca, seen)
}

async fn door(world: &World, token: &str) -> Answer {
    world.call(Method::GET, &format!("/.well-known/acme-challenge/{token}"), "", None).await
}

/// Lets the loops run until nothing more is due soon.
async fn work(world: &World) {
    for _ in 0..12 {
        world.engine.step().await.unwrap();
        world.fakes.clock.advance(std::time::Duration::from_secs(5));
    }
}

/// What a CA that comes to the names finds.
async fn look(world: &World, ca: &AcmeCa, seen: &MemoryChallenges) -> usize {
    let mut found = 0;
    for token in ca.tokens() {
        let answer = door(world, &token).await;
        if answer.status.as_u16() == 200 {
            assert_eq!(answer.header("cache-control"), "no-store");
            let answer = ChallengeAnswer::Http01 { token, key_authorization: answer.text };
            seen.publish("", &answer, world.fakes.clock.now()).await.unwrap();
            found += 1;
        }
    }
    found
}

#[tokio::test]
async fn the_ca_finds_its_answers_at_the_door_and_a_certificate_comes_of_it() {
    let (world, ca, seen) = world(json!({})).await;
    // Both challenges are answered before the CA is told of either.
    ca.fail("/challenge", AcmeFault::Unreachable);
    ca.fail("/challenge", AcmeFault::Unreachable);
    ca.fail("/challenge", AcmeFault::Unreachable);
    let asked = world.post("/api/v1/certificates/mc-1/csr", json!({ "csr_pem": csr("mc-1", 1).await })).await;
    asked.expect(202);
    work(&world).await;
    assert_eq!(look(&world, &ca, &seen).await, 2);
    world.fakes.clock.advance(std::time::Duration::from_secs(600));
    work(&world).await;
    let versions = world.get("/api/v1/certificates/mc-1/versions").await.expect(200);
    assert_eq!(versions["total"], 1, "{versions} {}", world.get("/api/v1/jobs").await.text);
    assert_eq!((ca.accounts().len(), ca.orders().len()), (1, 1));
    for token in ca.tokens() {
        assert_eq!(door(&world, &token).await.status.as_u16(), 404, "it is taken away");
    }
}

#[tokio::test]
async fn a_name_that_is_not_believed_is_tried_again_with_a_new_order() {
    let (world, ca, seen) = world(json!({})).await;
    world.post("/api/v1/certificates/mc-1/csr", json!({ "csr_pem": csr("mc-1", 1).await })).await.expect(202);
    // Nobody looked for the answers, so the CA found none.
    work(&world).await;
    let jobs = world.get("/api/v1/jobs").await.expect(200);
    let job = &jobs["data"][0];
    assert_eq!(job["status"], "Failed", "{job}");
    assert!(job.to_string().contains("does not believe"), "{job}");
    ca.fail("/challenge", AcmeFault::Unreachable);
    ca.fail("/challenge", AcmeFault::Unreachable);
    ca.fail("/challenge", AcmeFault::Unreachable);
    world.fakes.clock.advance(std::time::Duration::from_secs(900));
    work(&world).await;
    assert_eq!(look(&world, &ca, &seen).await, 2);
    world.fakes.clock.advance(std::time::Duration::from_secs(1_800));
    work(&world).await;
    let versions = world.get("/api/v1/certificates/mc-1/versions").await.expect(200);
    assert_eq!(versions["total"], 1, "{versions} {}", world.get("/api/v1/jobs").await.text);
    assert_eq!((ca.accounts().len(), ca.orders().len()), (1, 2), "one account, and a new order");
    let health = world.get("/api/v1/issuers/iss-acme").await.expect(200);
    assert!(!health.to_string().contains("\"open\""), "{health}");
}

#[tokio::test]
async fn what_is_no_token_is_not_looked_for() {
    let world = World::new().await;
    for token in ["nothing-that-is-known-here-00", "a.b", "%2e%2e%2fsecret", "x y", &"x".repeat(129), "%00"] {
        let answer = door(&world, &token.replace(' ', "%20")).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (404, "there is no such challenge\n"), "{token}");
        assert!(!answer.header("x-request-id").is_empty());
    }
    let post = world.call(Method::POST, "/.well-known/acme-challenge/abc", "", Some(json!({}))).await;
    assert_eq!(post.status.as_u16(), 405);
}

#[tokio::test]
async fn an_issuer_that_is_deleted_leaves_no_account_behind() {
    let (world, ca, _) = world(json!({})).await;
    world.post("/api/v1/certificates/mc-1/csr", json!({ "csr_pem": csr("mc-1", 1).await })).await.expect(202);
    work(&world).await;
    let tested = world.post("/api/v1/issuers/iss-acme/test", json!({})).await.expect(200);
    assert!(tested.to_string().contains("account/0"), "{tested}");
    let other = json!({ "id": "iss-second", "name": "second", "type": "ACME",
        "config": { "directory_url": AcmeCa::DIRECTORY, "email": "ops@example.com" } });
    world.post("/api/v1/issuers", other).await.expect(201);
    let tested = world.post("/api/v1/issuers/iss-second/test", json!({})).await.expect(200);
    assert!(tested.to_string().contains("the first order makes the account"), "{tested}");
    world.delete("/api/v1/issuers/iss-second").await.expect(204);
    assert_eq!(ca.accounts().len(), 1);
}
