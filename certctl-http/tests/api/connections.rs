//! Trying issuers and targets out, and the kinds of them.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use certctl_core::ports::Clock;
use serde_json::json;

use crate::client::{InProcess, client};
use crate::settings::authority;
use crate::world::{ADMIN, OPERATOR, VIEWER, World, check_problem, target_config};

#[tokio::test]
async fn an_issuer_that_would_work_says_so() {
    let world = World::new().await;
    let before = world.get("/api/v1/issuers/iss-local").await.expect(200);
    assert_eq!((&before["test_status"], before.get("last_tested_at")), (&json!("untested"), None));
    let answer = world.post("/api/v1/issuers/iss-local/test", json!({})).await.expect(200);
    assert_eq!(answer["status"], "connection_successful");
    assert!(answer["message"].as_str().unwrap().contains("valid until"), "{answer}");
    let after = world.get("/api/v1/issuers/iss-local").await.expect(200);
    assert_eq!(after["test_status"], "success");
    assert!(after["last_tested_at"].is_string());
    // Another configuration has not been tried.
    let changed =
        world.put("/api/v1/issuers/iss-local", json!({ "config": { "validity_days": 30 } })).await.expect(200);
    assert_eq!(changed["test_status"], "untested");
}

#[tokio::test]
async fn what_stands_in_the_way_of_an_issuer_is_said_and_stored() {
    let world = World::new().await;
    let (ca_cert_pem, ca_key_pem) = authority().await;
    let config = json!({ "ca_cert_pem": ca_cert_pem, "ca_key_pem": ca_key_pem });
    let issuer = json!({ "id": "iss-1", "name": "one", "type": "GenericCA", "config": config });
    world.post("/api/v1/issuers", issuer).await.expect(201);
    world.post("/api/v1/issuers/iss-1/test", json!({})).await.expect(200);

    let end = certctl_core::domain::Timestamp::from_unix_seconds(4_000_000_001);
    world.fakes.clock.advance(end.since(world.fakes.clock.now()));
    let refused = world.post("/api/v1/issuers/iss-1/test", json!({})).await;
    let problem = check_problem(&refused, 422);
    assert_eq!(problem["code"], "connection_failed");
    assert!(problem["detail"].as_str().unwrap().contains("cannot be used now"), "{}", refused.text);
    assert!(!refused.text.contains("PRIVATE KEY"));
    assert_eq!(world.get("/api/v1/issuers/iss-1").await.expect(200)["test_status"], "failed");
    world.post("/api/v1/issuers/none/test", json!({})).await.problem(404);
    world.call(Method::POST, "/api/v1/issuers/iss-1/test", OPERATOR, None).await.problem(403);
}

#[tokio::test]
async fn a_target_is_as_good_as_its_agent() {
    let world = World::new().await;
    let test = async |id: &str| world.post(&format!("/api/v1/targets/{id}/test"), json!({})).await.expect(200);
    let stored = async || world.get("/api/v1/targets/tgt-1").await.expect(200);
    let credential = world.agent("edge-1").await;
    world.target("tgt-1", "edge-1").await;
    assert_eq!(stored().await["test_status"], "untested");
    assert_eq!(test("tgt-1").await["status"], "success", "who was just added counts as heard of");
    world.fakes.clock.advance(Duration::from_secs(301));
    let never = test("tgt-1").await;
    assert_eq!((&never["status"], stored().await["test_status"].as_str()), (&json!("failed"), Some("failed")));
    assert!(never["message"].as_str().unwrap().contains("never heard of"), "{never}");

    world.call(Method::POST, "/api/v1/agents/edge-1/heartbeat", &credential, Some(json!({}))).await.expect(200);
    world.fakes.clock.advance(Duration::from_secs(60));
    let heard = test("tgt-1").await;
    assert_eq!((&heard["status"], stored().await["test_status"].as_str()), (&json!("success"), Some("success")));
    assert!(heard["message"].as_str().unwrap().contains("60 s ago"), "{heard}");
    assert!(stored().await["last_tested_at"].is_string());

    world.fakes.clock.advance(Duration::from_secs(300));
    assert_eq!(test("tgt-1").await["status"], "failed");
    assert_eq!(stored().await["test_status"], "failed");
    world.post("/api/v1/targets/none/test", json!({})).await.problem(404);
    world.call(Method::POST, "/api/v1/targets/tgt-1/test", VIEWER, None).await.problem(403);

    world.delete("/api/v1/agents/edge-1?force=true&reason=sold").await.expect(200);
    let retired = test("tgt-1").await;
    assert_eq!(retired["status"], "failed");
    assert!(retired["message"].as_str().unwrap().contains("retired"), "{retired}");
}

#[tokio::test]
async fn every_kind_has_a_schema_for_its_form() {
    let world = World::new().await;
    let issuers = world.get("/api/v1/issuers/types").await.expect(200);
    assert_eq!(issuers["total"], issuers["data"].as_array().unwrap().len());
    let local = issuers["data"].as_array().unwrap().iter().find(|kind| kind["type"] == "GenericCA").unwrap();
    assert!(local["aliases"].as_array().unwrap().contains(&json!("local")));
    assert_eq!(local["config_schema"]["properties"]["validity_days"]["type"], "integer");
    assert!(local["documentation"].as_str().unwrap().contains("ca_key_pem"));
    let targets = world.get("/api/v1/targets/types").await.expect(200);
    let nginx = targets["data"].as_array().unwrap().iter().find(|kind| kind["type"] == "NGINX").unwrap();
    assert!(nginx["config_schema"]["properties"]["cert_path"].is_object());
    for path in ["issuers", "targets"] {
        world.call(Method::GET, &format!("/api/v1/{path}/types"), VIEWER, None).await.expect(200);
    }

    for id in ["types", "system"] {
        let issuer = json!({ "id": id, "name": "t", "type": "GenericCA" });
        let refused = check_problem(&world.post("/api/v1/issuers", issuer).await, 400);
        assert_eq!(
            (&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]),
            (&json!("/id"), &json!("reserved"))
        );
    }
    world.agent("edge-1").await;
    let target =
        json!({ "id": "types", "name": "t", "type": "NGINX", "agent_id": "edge-1", "config": target_config() });
    assert_eq!(check_problem(&world.post("/api/v1/targets", target).await, 400)["errors"][0]["code"], "reserved");
}

#[tokio::test]
async fn a_client_tries_out() {
    let world = World::new().await;
    world.agent("edge-1").await;
    world.target("tgt-1", "edge-1").await;
    let http = Arc::new(InProcess(world));
    let admin = client(&http, ADMIN);
    let tested = admin.test_issuer(&"iss-local".parse().unwrap()).await.unwrap();
    assert_eq!(tested.status, "connection_successful");
    assert_eq!(admin.test_target(&"tgt-1".parse().unwrap()).await.unwrap().status, "success");
    assert!(admin.issuer_types().await.unwrap().data.iter().any(|kind| kind.kind == "GenericCA"));
    assert!(admin.target_types().await.unwrap().data.iter().any(|kind| kind.kind == "NGINX"));
}
