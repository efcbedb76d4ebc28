//! Of many agents that show the same token at once exactly one enrols.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use certctl_core::testing::TestKeys;
use certctl_http::Options;
use serde_json::{Value, json};

use crate::place::Place;
use crate::{AT_ONCE, all_at_once, counted, rounds};

pub(crate) async fn a_token_enrols_one_agent(at: &Place) {
    let world = at.world(Arc::new(TestKeys), Options::default(), |builder| builder).await;
    let register = |token: &str, place: usize, agent: Value| {
        let (mut agent, mut request) = (agent, Request::post("/api/v1/agents"));
        // Both ways of showing it.
        if place.is_multiple_of(2) {
            request = request.header("authorization", format!("Bearer {token}"));
        } else {
            agent["enrol_token"] = json!(token);
        }
        request.body(Body::from(agent.to_string())).unwrap()
    };
    for round in 0..rounds(10) {
        // One that is good for any agent, and one that is good for one id.
        let bound = format!("bound-{round}");
        for body in [json!({}), json!({ "agent_id": bound })] {
            let made = world.post("/api/v1/agents/enrol-tokens", body.clone()).await.expect(201);
            let token = made["token"].as_str().unwrap();
            let name = |place| format!("{} {round} {place}", body["agent_id"].as_str().unwrap_or("any"));
            let agent = |place| json!({ "name": name(place), "hostname": "h" });
            let before = world.get("/api/v1/agents?per_page=1").await.expect(200)["total"].as_u64().unwrap();
            let requests = (0..AT_ONCE).map(|place| register(token, place, agent(place))).collect();
            let answers = all_at_once(&world, requests).await;
            assert_eq!(counted(&answers), [(201, 1), (401, AT_ONCE - 1)].into(), "round {round}");
            let after = world.get("/api/v1/agents?per_page=1").await.expect(200)["total"].as_u64().unwrap();
            assert_eq!(after, before + 1, "round {round}");
        }
        world.get(&format!("/api/v1/agents/{bound}")).await.expect(200);
    }
}
