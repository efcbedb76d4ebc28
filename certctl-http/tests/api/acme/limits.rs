//! What one account may do.

use std::time::Duration;

use certctl_core::enrol::acme::{AcmeAuthMode, AcmeConfig, AcmeLimits};
use serde_json::json;

use super::client::{Client, csr, problem, serving};
use crate::world::World;

fn limited(mode: AcmeAuthMode, limits: AcmeLimits) -> AcmeConfig {
    AcmeConfig { limits, ..serving(mode) }
}

#[tokio::test]
async fn an_account_has_so_many_open_orders() {
    let limits = AcmeLimits { concurrent_orders: 2, ..AcmeLimits::default() };
    let world = World::acme(limited(AcmeAuthMode::TrustAuthenticated, limits)).await;
    let client = Client::new(&world, 1).await;
    let (_, first) = client.order(&["a.example"]).await;
    client.order(&["b.example"]).await;
    assert_eq!(problem(&client.try_order(&["c.example"]).await, 429), "rateLimited");
    // Another account is not concerned, and one that is finalized is not open.
    Client::new(&world, 2).await.order(&["c.example"]).await;
    client.finalize(&first, &csr(&["a.example"], 3).await).await.expect(200);
    client.order(&["c.example"]).await;
    // Those that have expired are not open either.
    world.fakes.clock.advance(Duration::from_secs(86_401));
    client.order(&["d.example"]).await;
}

#[tokio::test]
async fn an_account_orders_so_much_within_an_hour() {
    let limits = AcmeLimits { orders_per_hour: 2, ..AcmeLimits::default() };
    let world = World::acme(limited(AcmeAuthMode::TrustAuthenticated, limits)).await;
    let client = Client::new(&world, 1).await;
    client.order(&["a.example"]).await;
    world.fakes.clock.advance(Duration::from_secs(600));
    client.order(&["b.example"]).await;
    let refused = client.try_order(&["c.example"]).await;
    assert_eq!(refused.header("retry-after"), "3000");
    assert_eq!(problem(&refused, 429), "rateLimited");
    world.fakes.clock.advance(Duration::from_secs(3_001));
    client.order(&["c.example"]).await;
}

#[tokio::test]
async fn an_account_has_so_many_challenges_looked_at() {
    let limits = AcmeLimits { challenges_per_hour: 1, ..AcmeLimits::default() };
    let world = World::acme(limited(AcmeAuthMode::Challenge, limits)).await;
    let client = Client::new(&world, 1).await;
    let mut challenges = Vec::new();
    for name in ["a.example", "b.example"] {
        let (_, order) = client.order(&[name]).await;
        let authorization = client.read(order["authorizations"][0].as_str().unwrap()).await.expect(200);
        challenges.push(authorization["challenges"][0]["url"].as_str().unwrap().to_owned());
    }
    client.post(&challenges[0], Some(json!({}))).await.expect(200);
    // The same again is no further one.
    client.post(&challenges[0], Some(json!({}))).await.expect(200);
    assert_eq!(problem(&client.post(&challenges[1], Some(json!({}))).await, 429), "rateLimited");
    world.fakes.clock.advance(Duration::from_secs(3_601));
    client.post(&challenges[1], Some(json!({}))).await.expect(200);
}
