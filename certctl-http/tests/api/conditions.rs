//! `ETag`, `If-Match` and `If-None-Match` on every object that has a page of its own.

use axum::body::Body;
use axum::http::{Method, Request};
use certctl_http::openapi;
use serde_json::{Value, json};

use crate::world::{ADMIN, Answer, World, certificate, target_config};

async fn ask(world: &World, method: Method, path: &str, header: (&str, &str), body: &Value) -> Answer {
    let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {ADMIN}"));
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    world.send(request.header(header.0, header.1).body(body).unwrap()).await
}

/// The paths of objects that can be changed or deleted, and how each is made.
const CREATIONS: &[(&str, &str)] = &[
    ("teams", r#"{"id":"x","name":"x"}"#),
    ("owners", r#"{"id":"x","name":"x","email":"x@example.com","team_id":"team-default"}"#),
    ("profiles", r#"{"id":"x","name":"x"}"#),
    ("renewal-policies", r#"{"id":"x","name":"x"}"#),
    ("policies", r#"{"id":"x","name":"x","type":"RenewalLeadTime"}"#),
    ("issuers", r#"{"id":"x","name":"x","type":"GenericCA","config":{}}"#),
    ("targets", r#"{"id":"x","name":"x","type":"NGINX","agent_id":"edge-1"}"#),
    ("certificates", r#"{"id":"x"}"#),
    ("agent-groups", r#"{"id":"x","name":"x"}"#),
    ("health-checks", r#"{"id":"x","endpoint":"shop.example:443"}"#),
    ("auth/keys", r#"{"id":"x","name":"x","role":"viewer"}"#),
    ("network-scan-targets", r#"{"id":"x","name":"x","cidrs":["192.0.2.1"]}"#),
];

/// A world that holds one of each.
async fn stocked() -> World {
    let world = World::new().await;
    world.agent("edge-1").await;
    for (path, request) in CREATIONS {
        let mut request: Value = serde_json::from_str(request).unwrap();
        match *path {
            "targets" => request["config"] = target_config(),
            "certificates" => request = certificate("x", json!({})),
            _ => {}
        }
        world.post(&format!("/api/v1/{path}"), request).await.expect(201);
    }
    world
}

/// Every route of an object that changes or deletes it. One that is missing in [`CREATIONS`] fails the test.
fn changes() -> Vec<(Method, String)> {
    let document = serde_json::to_value(openapi::document()).unwrap();
    let mut changes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (verb, method) in [("put", Method::PUT), ("delete", Method::DELETE)] {
            // A retirement announces itself first, which makes a version of its own; credentials are made and deleted, and
            // never change. They take no If-Match.
            let unconditional = ["retireAgent", "deleteAcmeEabCredential"];
            let is_conditional = |operation: &Value| !unconditional.iter().any(|id| operation["operationId"] == *id);
            if item.get(verb).is_some_and(is_conditional) {
                assert!(path.ends_with("/{id}"), "{path}");
                let collection = path.trim_start_matches("/api/v1/").trim_end_matches("/{id}");
                assert!(CREATIONS.iter().any(|(known, _)| *known == collection), "{path}: say how one is made");
                changes.push((method, path.replace("{id}", "x")));
            }
        }
    }
    assert!(changes.len() >= 16);
    changes
}

#[tokio::test]
async fn a_change_of_what_was_not_seen_is_refused_everywhere() {
    let world = stocked().await;
    for (method, path) in changes() {
        let body = if method == Method::PUT { json!({}) } else { Value::Null };
        let tag = world.get(&path).await.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 2, "{path}: {tag}");
        let before = world.get(&path).await.text;
        for stale in ["\"9999\"", "\"0\"", "W/\"1\"", "\"abc\"", "\"9999\", W/\"1\""] {
            let answer = ask(&world, method.clone(), &path, ("if-match", stale), &body).await;
            assert_eq!(answer.problem(412), "precondition_failed", "{method} {path} {stale}");
        }
        let answer = ask(&world, method.clone(), &path, ("if-match", "1"), &body).await;
        assert_eq!(answer.problem(400), "invalid_request", "{method} {path}");
        assert_eq!(world.get(&path).await.text, before, "{method} {path} changed something");
        let none = path.replace("/x", "/none");
        assert_eq!(ask(&world, method.clone(), &none, ("if-match", "\"1\""), &body).await.problem(404), "not_found");
    }
}

#[tokio::test]
async fn a_change_of_what_was_seen_is_made_and_gives_it_a_new_tag() {
    for (method, path) in changes() {
        // What others refer to cannot be deleted: a world of its own for each.
        let world = stocked().await;
        let tag = world.get(&path).await.header("etag").to_owned();
        let body = if method == Method::PUT { json!({ "name": "new" }) } else { Value::Null };
        let both = format!("\"77\", {tag}");
        let done = ask(&world, method.clone(), &path, ("if-match", &both), &body).await;
        assert!(done.status.is_success(), "{method} {path}: {}", done.text);
        if method == Method::PUT {
            let now = world.get(&path).await.header("etag").to_owned();
            assert_ne!(now, tag, "{path}");
            // The same again comes too late; whatever there is may be changed.
            assert_eq!(
                ask(&world, Method::PUT, &path, ("if-match", &tag), &body).await.problem(412),
                "precondition_failed"
            );
            ask(&world, Method::PUT, &path, ("if-match", "*"), &json!({ "name": "newer" })).await.expect(200);
        }
    }
}

#[tokio::test]
async fn what_is_made_or_changed_is_answered_with_its_tag() {
    let world = stocked().await;
    for (path, request) in CREATIONS {
        let mut request: Value = serde_json::from_str(request).unwrap();
        match *path {
            "targets" => request["config"] = target_config(),
            "certificates" => request = certificate("y", json!({})),
            _ => {}
        }
        (request["id"], request["name"]) = (json!("y"), json!("y"));
        if *path == "owners" {
            request["email"] = json!("y@example.com");
        }
        let made = world.post(&format!("/api/v1/{path}"), request).await;
        let path = format!("/api/v1/{path}/y");
        let tag = made.header("etag").to_owned();
        made.expect(201);
        assert_eq!((world.get(&path).await.header("etag"), tag.as_str()), (tag.as_str(), "\"1\""), "{path}");
        let changed = ask(&world, Method::PUT, &path, ("if-match", &tag), &json!({ "name": "z" })).await;
        let newer = changed.header("etag").to_owned();
        changed.expect(200);
        assert_ne!(newer, tag, "{path}");
        assert_eq!(world.get(&path).await.header("etag"), newer, "{path}");
    }
    let agent = world.post("/api/v1/agents", json!({ "id": "edge-9", "name": "edge-9", "hostname": "h" })).await;
    assert_eq!(agent.header("etag"), world.get("/api/v1/agents/edge-9").await.header("etag"));
    let rotated = world.post("/api/v1/auth/keys/y/rotate", Value::Null).await;
    assert_eq!(rotated.header("etag"), world.get("/api/v1/auth/keys/y").await.header("etag"));
}

#[tokio::test]
async fn a_target_moves_to_another_agent_if_it_is_what_was_seen() {
    let world = stocked().await;
    world.agent("edge-2").await;
    world.certificate("m", json!({ "target_ids": ["x"] })).await;
    let tag = world.get("/api/v1/targets/x").await.header("etag").to_owned();
    let body = json!({ "agent_id": "edge-2" });
    let moved = ask(&world, Method::PUT, "/api/v1/targets/x", ("if-match", &tag), &body).await.expect(200);
    assert_eq!((&moved["agent_id"], &moved["test_status"]), (&json!("edge-2"), &json!("untested")));
    let late =
        ask(&world, Method::PUT, "/api/v1/targets/x", ("if-match", &tag), &json!({ "agent_id": "edge-1" })).await;
    assert_eq!(late.problem(412), "precondition_failed");
    let jobs = world.get("/api/v1/jobs?certificate_id=m").await.expect(200);
    let of = |agent: &str| -> Vec<String> {
        let jobs = jobs["data"].as_array().unwrap().iter().filter(|job| job["agent_id"] == agent);
        jobs.map(|job| job["status"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((of("edge-1"), of("edge-2")), (vec!["Cancelled".to_owned()], vec!["AwaitingCSR".to_owned()]));
    let unknown = world.put("/api/v1/targets/x", json!({ "agent_id": "edge-9" })).await;
    assert_eq!(unknown.json()["errors"][0]["pointer"], "/agent_id");
    assert_eq!(unknown.problem(400), "invalid_request");
}

#[tokio::test]
async fn of_two_who_saw_the_same_one_changes_it() {
    let world = stocked().await;
    let tag = world.get("/api/v1/teams/x").await.header("etag").to_owned();
    let one = json!({ "description": "one" });
    let two = json!({ "description": "two" });
    let (a, b) = tokio::join!(
        ask(&world, Method::PUT, "/api/v1/teams/x", ("if-match", &tag), &one),
        ask(&world, Method::PUT, "/api/v1/teams/x", ("if-match", &tag), &two),
    );
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let world = stocked().await;
    for (path, _) in CREATIONS {
        let path = format!("/api/v1/{path}/x");
        let tag = world.get(&path).await.header("etag").to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"0\", {tag}"), "*".to_owned()] {
            let answer = ask(&world, Method::GET, &path, ("if-none-match", &known), &Value::Null).await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (304, ""), "{path} {known}");
            assert_eq!(answer.header("etag"), tag);
        }
        ask(&world, Method::GET, &path, ("if-none-match", "\"0\""), &Value::Null).await.expect(200);
    }
    // What is not there is not unchanged, and a list has no tag.
    ask(&world, Method::GET, "/api/v1/teams/none", ("if-none-match", "*"), &Value::Null).await.problem(404);
    ask(&world, Method::GET, "/api/v1/teams", ("if-none-match", "*"), &Value::Null).await.expect(200);
}

#[tokio::test]
async fn a_retirement_takes_no_condition() {
    let world = stocked().await;
    let answer = ask(&world, Method::DELETE, "/api/v1/agents/edge-1", ("if-match", "\"1\""), &Value::Null).await;
    assert_eq!(answer.problem(400), "if_match_not_supported");
}
