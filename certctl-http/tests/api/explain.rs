//! Why a certificate is renewed when it is, and the freeze windows that move it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{AGENT, AUDITOR, VIEWER, World, csr};

fn gate<'a>(explanation: &'a Value, name: &str) -> Option<&'a Value> {
    explanation["gates"].as_array().unwrap().iter().find(|gate| gate["name"] == name)
}

async fn explained(world: &World, id: &str) -> Value {
    world.get(&format!("/api/v1/certificates/{id}/explain")).await.expect(200)
}

#[tokio::test]
async fn the_gates_of_a_certificate_follow_its_life() {
    let world = World::new().await;
    world.agent("edge-1").await;
    world.certificate("mc-1", json!({})).await;
    let pending = explained(&world, "mc-1").await;
    assert_eq!((&pending["certificate_id"], &pending["status"]), (&json!("mc-1"), &json!("Pending")));
    assert_eq!(gate(&pending, "lifecycle").unwrap()["verdict"], "waiting");
    let job = gate(&pending, "job").unwrap();
    assert!(job["reason"].as_str().unwrap().contains("waits for somebody to send a signing request"));
    assert!(gate(&pending, "policy").is_none(), "nothing is issued");

    world.post("/api/v1/certificates/mc-1/csr", json!({ "csr_pem": csr("mc-1", 1).await })).await.expect(202);
    let issued = explained(&world, "mc-1").await;
    let policy = gate(&issued, "policy").unwrap();
    assert_eq!((&policy["verdict"], &issued["status"]), (&json!("waiting"), &json!("Active")));
    let stored = world.get("/api/v1/certificates/mc-1").await.expect(200);
    assert_eq!((&issued["renew_at"], &issued["expires_at"]), (&stored["renew_at"], &stored["expires_at"]));
    assert!(issued["renew_at"].as_str() <= policy["at"].as_str(), "never later than the deadline");
    let names: Vec<_> = issued["gates"].as_array().unwrap().iter().map(|gate| gate["name"].clone()).collect();
    assert_eq!(names, ["lifecycle", "auto_renew", "policy", "issuer", "job"]);
    assert_eq!(issued["advice"], json!([]));

    let off = json!({ "auto_renew": false });
    world.put("/api/v1/renewal-policies/rp-default", off).await.expect(200);
    let off = explained(&world, "mc-1").await;
    assert_eq!(gate(&off, "auto_renew").unwrap()["verdict"], "closed");

    world.delete("/api/v1/certificates/mc-1").await.expect(204);
    let archived = explained(&world, "mc-1").await;
    assert_eq!(gate(&archived, "lifecycle").unwrap()["verdict"], "closed");
    world.get("/api/v1/certificates/mc-none/explain").await.problem(404);
}

#[tokio::test]
async fn freeze_windows_move_a_renewal_and_are_told() {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    world.post("/api/v1/certificates/mc-1/csr", json!({ "csr_pem": csr("mc-1", 1).await })).await.expect(202);
    let before = explained(&world, "mc-1").await;
    let deadline = gate(&before, "policy").unwrap()["at"].as_str().unwrap().to_owned();
    let start = before["now"].as_str().unwrap().to_owned();
    // From now to after the deadline: only before it is no time left, so it waits as long as it may.
    let window = json!([{ "starts_at": start, "ends_at": before["expires_at"], "reason": "year's end" }]);
    let changed = json!({ "freeze_windows": window });
    let policy = world.put("/api/v1/renewal-policies/rp-default", changed).await.expect(200);
    assert_eq!(policy["freeze_windows"], window);
    world.fakes.clock.advance(Duration::from_secs(3));
    world.engine.step().await.unwrap();
    let frozen = explained(&world, "mc-1").await;
    let freeze = gate(&frozen, "freeze").unwrap();
    assert_eq!(freeze["verdict"], "waiting");
    assert!(freeze["reason"].as_str().unwrap().contains("year's end"));
    assert_eq!(frozen["renew_at"], freeze["at"]);
    assert!(frozen["renew_at"].as_str().unwrap() > deadline.as_str());
    assert!(frozen["renew_at"].as_str() < frozen["expires_at"].as_str());

    let thawed = world.put("/api/v1/renewal-policies/rp-default", json!({ "freeze_windows": [] })).await.expect(200);
    assert_eq!(thawed["freeze_windows"], json!([]));
    world.fakes.clock.advance(Duration::from_secs(3));
    world.engine.step().await.unwrap();
    assert!(explained(&world, "mc-1").await["renew_at"].as_str().unwrap() <= deadline.as_str());
}

#[tokio::test]
async fn freeze_windows_that_are_none_are_refused_where_they_are() {
    let world = World::new().await;
    let (first, second) = ("2031-01-01T00:00:00Z", "2031-02-01T00:00:00Z");
    let many: Vec<Value> = (0..51).map(|_| json!({ "starts_at": first, "ends_at": second })).collect();
    for windows in [
        json!([{ "starts_at": second, "ends_at": first }]),
        json!([{ "starts_at": first, "ends_at": first }]),
        json!([{ "starts_at": first, "ends_at": second, "reason": "x".repeat(256) }]),
        json!([{ "starts_at": "tomorrow", "ends_at": second }]),
        json!([{ "starts_at": first }]),
        json!(many),
    ] {
        let policy = json!({ "name": "odd", "freeze_windows": windows });
        world.post("/api/v1/renewal-policies", policy).await.problem(400);
    }
    let windows = json!([{ "starts_at": first, "ends_at": second }]);
    let policy = json!({ "name": "even", "freeze_windows": windows });
    assert_eq!(world.post("/api/v1/renewal-policies", policy).await.expect(201)["freeze_windows"], windows);
}

#[tokio::test]
async fn whoever_may_read_certificates_may_ask_why() {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    let path = "/api/v1/certificates/mc-1/explain";
    for (key, status) in [(VIEWER, 200), (AUDITOR, 403), (AGENT, 403), ("", 401)] {
        let answer = world.call(axum::http::Method::GET, path, key, None).await;
        assert_eq!(answer.status.as_u16(), status, "{key}: {}", answer.text);
    }
}
