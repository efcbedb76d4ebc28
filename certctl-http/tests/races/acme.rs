//! Of many messages of ACME at once exactly one wins.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request};
use certctl_core::enrol::acme::{AcmeAuthMode, AcmeConfig};
use certctl_core::testing::TestKeys;
use certctl_http::Options;
use serde_json::{Value, json};

use crate::binding::{binding, bound, credential, needing};
use crate::client::{Client, HOST, csr, identifiers, serving, signed};
use crate::place::Place;
use crate::world::World;
use crate::{AT_ONCE, all_at_once, counted, rounds};

async fn serving_at(place: &Place, config: AcmeConfig) -> World {
    place.world(Arc::new(TestKeys), Options::default(), |builder| builder.acme(config)).await
}

fn unlimited() -> AcmeConfig {
    let mut config = serving(AcmeAuthMode::TrustAuthenticated);
    (config.limits.orders_per_hour, config.limits.concurrent_orders) = (0, 0);
    config
}

/// Sends all at once; gives how many had each status.
async fn race(world: &World, url: &str, messages: Vec<Value>) -> BTreeMap<u16, usize> {
    let path = url.strip_prefix(HOST).unwrap();
    let request = |message: Value| {
        let request = Request::builder().method(Method::POST).uri(path).header("content-type", "application/jose+json");
        request.body(Body::from(message.to_string())).unwrap()
    };
    counted(&all_at_once(world, messages.into_iter().map(request).collect()).await)
}

pub(crate) async fn a_nonce_is_accepted_once(at: &Place) {
    let world = serving_at(at, unlimited()).await;
    let client = Client::new(&world, 1).await;
    let url = client.url("new-order");
    for round in 0..rounds(10) {
        let nonce = client.fresh_nonce().await;
        let mut messages = Vec::new();
        for place in 0..AT_ONCE {
            let header = json!({ "alg": "EdDSA", "nonce": nonce, "url": url, "kid": client.kid });
            let payload = json!({ "identifiers": identifiers(&[&format!("h{place}.example")]) });
            messages.push(signed(&*client.key, &header, Some(&payload)).await);
        }
        let counted = race(&world, &url, messages).await;
        assert_eq!(counted, [(201, 1), (400, AT_ONCE - 1)].into(), "round {round}");
    }
}

pub(crate) async fn an_order_is_finalized_once(at: &Place) {
    let world = serving_at(at, unlimited()).await;
    let client = Client::new(&world, 1).await;
    for round in 0..rounds(3) {
        let name = format!("h{round}.example");
        // What is newest is told by its time.
        world.fakes.clock.advance(std::time::Duration::from_millis(2));
        let (_, order) = client.order(&[&name]).await;
        let url = order["finalize"].as_str().unwrap();
        let mut messages = Vec::new();
        for place in 0..AT_ONCE {
            let header = json!({ "alg": "EdDSA", "nonce": client.fresh_nonce().await, "url": url, "kid": client.kid });
            let csr = csr(&[&name], 1_000 + (round * AT_ONCE + place) as u64).await;
            messages.push(signed(&*client.key, &header, Some(&json!({ "csr": csr }))).await);
        }
        let counted = race(&world, url, messages).await;
        assert_eq!(counted.get(&200), Some(&1), "round {round}: {counted:?}");
        let stored = world.get("/api/v1/certificates?per_page=1").await.expect(200);
        assert_eq!((&stored["total"], &stored["data"][0]["common_name"]), (&json!(round + 1), &json!(name)));
        let id = stored["data"][0]["id"].as_str().unwrap().to_owned();
        let versions = world.get(&format!("/api/v1/certificates/{id}/versions")).await.expect(200);
        assert_eq!(versions["total"], 1, "round {round}");
    }
}

pub(crate) async fn a_credential_is_used_once(at: &Place) {
    let world = serving_at(at, needing()).await;
    for round in 0..rounds(5) {
        let made = credential(&world, json!({})).await;
        let mut messages = Vec::new();
        let mut url = String::new();
        for place in 0..AT_ONCE {
            let client = Client::stranger(&world, 10_000 + (round * AT_ONCE + place) as u64).await;
            url = client.url("new-account");
            let payload = bound(binding(&client, &made, &json!({})));
            messages.push(signed(&*client.key, &client.header(&url).await, Some(&payload)).await);
        }
        let counted = race(&world, &url, messages).await;
        assert_eq!(counted.get(&201), Some(&1), "round {round}: {counted:?}");
        assert!(!counted.contains_key(&200) && !counted.contains_key(&500), "round {round}: {counted:?}");
    }
}

pub(crate) async fn a_key_has_one_account(at: &Place) {
    let world = serving_at(at, unlimited()).await;
    for round in 0..rounds(5) {
        let client = Client::stranger(&world, round as u64).await;
        let url = client.url("new-account");
        let mut messages = Vec::new();
        for _ in 0..AT_ONCE {
            messages.push(signed(&*client.key, &client.header(&url).await, Some(&json!({}))).await);
        }
        let counted = race(&world, &url, messages).await;
        assert_eq!(counted, [(200, AT_ONCE - 1), (201, 1)].into(), "round {round}");
    }
}
