//! What the server counts, as Prometheus reads it.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Method;
use certctl_core::enrol::acme::{AcmeAuthMode, AcmeConfig, AcmeLimits};
use serde_json::json;

use super::client::{Client, csr, leaf, problem, serving};
use crate::world::{VIEWER, World};

/// The samples of the ACME server that are not zero, without the beginning that all have.
async fn counted(world: &World) -> BTreeMap<String, u64> {
    let text = world.call(Method::GET, "/api/v1/metrics/prometheus", VIEWER, None).await.text;
    let sample = |line: &str| {
        let (name, count) = line.strip_prefix("certctl_acme_")?.rsplit_once(' ')?;
        Some((name.to_owned(), count.parse().unwrap()))
    };
    text.lines().filter_map(sample).filter(|(_, count)| *count > 0).collect()
}

/// Asserts that the samples have these values, and that of these families no other is there.
#[track_caller]
fn assert_counted(found: &BTreeMap<String, u64>, expected: &[(&str, u64)]) {
    let family = |name: &str| name.split('{').next().unwrap().to_owned();
    let families: Vec<String> = expected.iter().map(|(name, _)| family(name)).collect();
    let found: Vec<(&str, u64)> = found
        .iter()
        .filter(|(name, _)| families.contains(&family(name)))
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_order_is_counted_from_its_account_to_its_revocation() {
    let world = World::acme(serving(AcmeAuthMode::TrustAuthenticated)).await;
    let mut client = Client::new(&world, 1).await;
    let (_, _, chain) = client.obtain(&["a.example"], 2).await;
    client.revoke(&leaf(&chain), None).await;
    let account = client.kid.clone().unwrap();
    client.post(&account, Some(json!({ "contact": ["mailto:ops@example.com"] }))).await.expect(200);
    client.post(&account, Some(json!({ "contact": ["mailto:ops@example.com"] }))).await.expect(200);
    let (_, order) = client.order(&["b.example"]).await;
    assert_eq!(problem(&client.finalize(&order, &csr(&["c.example"], 3).await).await, 400), "badCSR");
    for _ in 0..2 {
        let authorization = order["authorizations"][0].as_str().unwrap();
        client.post(authorization, Some(json!({ "status": "deactivated" }))).await.expect(200);
    }
    client.order(&["d.example"]).await;
    world.fakes.clock.advance(Duration::from_secs(86_401));
    world.engine.step().await.unwrap();
    client.kid = None;
    client.register(json!({})).await.expect(200);
    client.post(&account, Some(json!({ "status": "deactivated" }))).await.expect(200);
    assert_counted(
        &counted(&world).await,
        &[
            ("accounts_total{result=\"created\"}", 1),
            ("accounts_total{result=\"updated\"}", 1),
            ("accounts_total{result=\"found\"}", 1),
            ("accounts_total{result=\"deactivated\"}", 1),
            ("orders_total{result=\"created\"}", 3),
            ("orders_total{result=\"valid\"}", 1),
            ("orders_total{result=\"invalid\"}", 1),
            ("orders_total{result=\"expired\"}", 1),
            ("authorizations_total{result=\"deactivated\"}", 1),
            ("finalizations_total{result=\"issued\"}", 1),
            ("finalizations_total{result=\"refused\"}", 1),
            ("certificates_total{result=\"issued\"}", 1),
            ("certificates_total{result=\"fetched\"}", 1),
            ("revocations_total{by=\"account\"}", 1),
            ("problems_total{type=\"badCSR\"}", 1),
        ],
    );
    let requests = counted(&world).await;
    assert_eq!(requests["requests_total{resource=\"new-order\"}"], 3);
    assert_eq!(requests["requests_total{resource=\"finalize\"}"], 2);
}

#[tokio::test]
async fn what_is_not_proven_and_what_is_too_much_is_counted_by_its_kind() {
    let limits = AcmeLimits { concurrent_orders: 1, ..AcmeLimits::default() };
    let world = World::acme(AcmeConfig { limits, ..serving(AcmeAuthMode::Challenge) }).await;
    let client = Client::new(&world, 1).await;
    let (_, order) = client.order(&["a.example"]).await;
    assert_eq!(problem(&client.try_order(&["b.example"]).await, 429), "rateLimited");
    let authorization = order["authorizations"][0].as_str().unwrap();
    let challenges = client.read(authorization).await.expect(200)["challenges"].clone();
    let challenge = challenges.as_array().unwrap().iter().find(|one| one["type"] == "dns-01").unwrap();
    for _ in 0..2 {
        client.post(challenge["url"].as_str().unwrap(), Some(json!({}))).await.expect(200);
    }
    for _ in 0..4 {
        world.engine.step().await.unwrap();
        world.fakes.clock.advance(Duration::from_secs(20));
    }
    // A nonce is good once.
    let url = client.url("new-order");
    let header = client.header(&url).await;
    let message = super::client::signed(&*client.key, &header, Some(&json!({ "identifiers": [] }))).await;
    assert_eq!(problem(&client.send(&url, message.to_string()).await, 400), "malformed");
    assert_eq!(problem(&client.send(&url, message.to_string()).await, 400), "badNonce");
    assert_counted(
        &counted(&world).await,
        &[
            ("challenges_total{type=\"dns-01\",result=\"answered\"}", 1),
            ("challenges_total{type=\"dns-01\",result=\"repeated\"}", 2),
            ("challenges_total{type=\"dns-01\",result=\"invalid\"}", 1),
            ("authorizations_total{result=\"invalid\"}", 1),
            ("orders_total{result=\"created\"}", 1),
            ("orders_total{result=\"invalid\"}", 1),
            ("problems_total{type=\"rateLimited\"}", 1),
            ("problems_total{type=\"malformed\"}", 1),
            ("problems_total{type=\"badNonce\"}", 1),
        ],
    );
    assert_eq!(counted(&world).await["nonces_total{result=\"bad\"}"], 1);
}

#[tokio::test]
async fn a_server_without_acme_counts_nothing_of_it() {
    let text = World::new().await.call(Method::GET, "/api/v1/metrics/prometheus", VIEWER, None).await.text;
    assert!(!text.contains("acme"), "{text}");
    let world = World::acme(serving(AcmeAuthMode::Challenge)).await;
    let text = world.call(Method::GET, "/api/v1/metrics/prometheus", VIEWER, None).await.text;
    assert!(text.contains("\ncertctl_acme_key_changes_total 0\n"), "{text}");
    assert!(text.contains("\ncertctl_acme_challenges_total{type=\"http-01\",result=\"valid\"} 0\n"), "{text}");
}
