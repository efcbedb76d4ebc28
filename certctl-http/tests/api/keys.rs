//! API keys: made, shown once, changed, replaced, deleted; and that nobody is locked out.

use std::time::Duration;

use axum::http::Method;
use certctl_core::domain::Timestamp;
use serde_json::{Value, json};

use crate::world::{ADMIN, AGENT, OPERATOR, World};

const KEYS: &str = "/api/v1/auth/keys";
const ME: &str = "/api/v1/auth/me";

/// Makes a key; gives its path and the key.
async fn make(world: &World, name: &str, role: &str) -> (String, String) {
    let made = world.post(KEYS, json!({ "name": name, "role": role })).await.expect(201);
    (format!("{KEYS}/{}", made["id"].as_str().unwrap()), made["key"].as_str().unwrap().to_owned())
}

/// The path of one of the configuration's keys.
async fn configured(world: &World, name: &str) -> String {
    let keys = world.get(KEYS).await.expect(200);
    let key = keys["data"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap().clone();
    assert_eq!(key["configured"], true);
    format!("{KEYS}/{}", key["id"].as_str().unwrap())
}

async fn me(world: &World, key: &str) -> Value {
    world.call(Method::GET, ME, key, None).await.expect(200)
}

async fn refused(world: &World, key: &str) {
    assert_eq!(world.call(Method::GET, ME, key, None).await.problem(401), "unauthenticated");
}

#[tokio::test]
async fn a_key_is_shown_once_and_then_known_by_what_it_may() {
    let world = World::new().await;
    let made =
        world.post(KEYS, json!({ "id": "key-ci", "name": "ci", "role": "operator", "hash": "x" })).await.expect(201);
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("cck_") && key.len() == 68);
    assert_eq!(made, json!({ "id": "key-ci", "name": "ci", "role": "operator", "key": key }));
    let stored = world.get("/api/v1/auth/keys/key-ci").await;
    assert!(!stored.text.contains(key) && !stored.text.contains("hash"));
    let stored = stored.expect(200);
    let expected = json!({
        "id": "key-ci", "name": "ci", "role": "operator", "configured": false, "disabled": false,
        "created_at": stored["created_at"],
    });
    assert_eq!(stored, expected);
    let who = me(&world, key).await;
    assert_eq!((&who["id"], &who["name"], &who["role"]), (&json!("key-ci"), &json!("ci"), &json!("operator")));
    assert_eq!((&who["actor_type"], who.get("agent")), (&json!("User"), None));
    assert!(who["operations"].as_array().unwrap().contains(&json!("createCertificate")));
    assert!(!who["operations"].as_array().unwrap().contains(&json!("createIssuer")));
    let list = world.get(KEYS).await;
    assert!(!list.text.contains(key));
    assert_eq!(list.expect(200)["total"], 6);
    let again = world.post(KEYS, json!({ "name": "ci", "role": "viewer" })).await;
    assert_eq!(again.problem(409), "already_exists");
}

#[tokio::test]
async fn an_agents_key_says_which_agent_it_is() {
    let world = World::new().await;
    let who = me(&world, AGENT).await;
    assert_eq!((&who["agent"], &who["actor_type"]), (&json!("edge-1"), &json!("Agent")));
}

#[tokio::test]
async fn a_key_is_disabled_enabled_and_changed() {
    let world = World::new().await;
    let (path, key) = make(&world, "ci", "viewer").await;
    let off = world.put(&path, json!({ "disabled": true, "last_used_at": null, "configured": true })).await.expect(200);
    assert_eq!((&off["disabled"], &off["configured"]), (&json!(true), &json!(false)));
    assert!(off["disabled_at"].is_string());
    refused(&world, &key).await;
    // Again it keeps the moment.
    world.fakes.clock.advance(Duration::from_secs(5));
    assert_eq!(world.put(&path, json!({ "disabled": true })).await.expect(200)["disabled_at"], off["disabled_at"]);
    let on = world.put(&path, json!({ "disabled": false, "role": "operator", "name": "build" })).await.expect(200);
    assert_eq!((&on["disabled"], &on["role"], &on["name"]), (&json!(false), &json!("operator"), &json!("build")));
    assert!(on.get("disabled_at").is_none());
    assert_eq!(me(&world, &key).await["role"], "operator");
    assert_eq!(world.put(&path, json!({})).await.expect(200)["name"], "build");
    for bad in [
        json!({ "role": "root" }),
        json!({ "disabled": "yes" }),
        json!({ "name": "" }),
        json!({ "expires_at": "soon" }),
    ] {
        assert_eq!(world.put(&path, bad.clone()).await.problem(400), "invalid_request", "{bad}");
    }
}

#[tokio::test]
async fn a_key_ends_when_it_should() {
    let world = World::new().await;
    let (path, key) = make(&world, "ci", "viewer").await;
    let now = world.get(&path).await.expect(200)["created_at"].as_str().map(Timestamp::parse_rfc3339).unwrap().unwrap();
    assert_eq!(world.put(&path, json!({ "expires_at": now })).await.problem(400), "invalid_request");
    let soon = now + Duration::from_secs(30);
    assert_eq!(world.put(&path, json!({ "expires_at": soon })).await.expect(200)["expires_at"], json!(soon));
    me(&world, &key).await;
    world.fakes.clock.advance(Duration::from_secs(30));
    refused(&world, &key).await;
    let cleared = world.put(&path, json!({ "expires_at": null })).await.expect(200);
    assert!(cleared.get("expires_at").is_none());
    me(&world, &key).await;
    let past = world.post(KEYS, json!({ "name": "late", "role": "viewer", "expires_at": now })).await;
    assert_eq!(past.problem(400), "invalid_request");
}

#[tokio::test]
async fn a_replaced_key_is_refused_from_then_on() {
    let world = World::new().await;
    let (path, old) = make(&world, "ci", "viewer").await;
    me(&world, &old).await;
    let new = world.call(Method::POST, &format!("{path}/rotate"), ADMIN, None).await.expect(200);
    assert_eq!((&new["name"], &new["role"]), (&json!("ci"), &json!("viewer")));
    refused(&world, &old).await;
    me(&world, new["key"].as_str().unwrap()).await;
}

#[tokio::test]
async fn a_deleted_key_is_gone_and_its_name_free() {
    let world = World::new().await;
    let (path, key) = make(&world, "ci", "viewer").await;
    world.delete(&path).await.expect(204);
    refused(&world, &key).await;
    assert_eq!(world.get(&path).await.problem(404), "not_found");
    assert_eq!(world.delete(&path).await.problem(404), "not_found");
    assert_eq!(world.call(Method::POST, &format!("{path}/rotate"), ADMIN, None).await.problem(404), "not_found");
    make(&world, "ci", "viewer").await;
}

#[tokio::test]
async fn keys_of_the_configuration_follow_the_configuration() {
    let world = World::new().await;
    let path = configured(&world, "operator").await;
    assert_eq!(world.put(&path, json!({ "role": "admin" })).await.problem(409), "key_is_configured");
    assert_eq!(world.delete(&path).await.problem(409), "key_is_configured");
    assert_eq!(
        world.call(Method::POST, &format!("{path}/rotate"), ADMIN, None).await.problem(409),
        "key_is_configured"
    );
    assert_eq!(me(&world, OPERATOR).await["role"], "operator");
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let world = World::without_keys().await;
    let (root, key) = world.bootstrap().await;
    let path = format!("{KEYS}/{root}");
    let ask = |method: Method, body: Option<Value>| world.call(method, &path, &key, body);
    let ends = json!({ "expires_at": "2099-01-01T00:00:00Z" });
    for change in [json!({ "disabled": true }), json!({ "role": "operator" }), ends.clone()] {
        assert_eq!(ask(Method::PUT, Some(change.clone())).await.problem(409), "last_administrator", "{change}");
    }
    assert_eq!(ask(Method::DELETE, None).await.problem(409), "last_administrator");
    // Its name may change, and a key that is no administrator's does not help.
    ask(Method::PUT, Some(json!({ "name": "chief" }))).await.expect(200);
    let other = json!({ "id": "key-other", "name": "other", "role": "operator" });
    world.call(Method::POST, KEYS, &key, Some(other)).await.expect(201);
    assert_eq!(ask(Method::DELETE, None).await.problem(409), "last_administrator");

    let promoted = json!({ "role": "admin" });
    world.call(Method::PUT, "/api/v1/auth/keys/key-other", &key, Some(promoted)).await.expect(200);
    ask(Method::PUT, Some(ends)).await.expect(200);
    ask(Method::DELETE, None).await.expect(204);
}

#[tokio::test]
async fn two_administrators_do_not_lock_out_each_other() {
    let world = World::without_keys().await;
    let (root, key) = world.bootstrap().await;
    let other = json!({ "id": "key-other", "name": "other", "role": "admin" });
    let other = world.call(Method::POST, KEYS, &key, Some(other)).await.expect(201)["key"].as_str().unwrap().to_owned();
    let root = format!("{KEYS}/{root}");
    let (one, two) = tokio::join!(
        world.call(Method::DELETE, &root, &other, None),
        world.call(Method::DELETE, "/api/v1/auth/keys/key-other", &key, None),
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    // The second finds itself the last, or its key gone already.
    assert!(statuses[0] == 204 && matches!(statuses[1], 401 | 409), "{statuses:?}");
}

#[tokio::test]
async fn the_last_use_is_known_to_the_minute() {
    let world = World::new().await;
    let (path, key) = make(&world, "ci", "viewer").await;
    let used = async || world.get(&path).await.expect(200).get("last_used_at").cloned();
    assert_eq!(used().await, None);
    me(&world, &key).await;
    let first = used().await;
    assert!(first.is_some());
    for _ in 0..20 {
        world.fakes.clock.advance(Duration::from_secs(2));
        me(&world, &key).await;
    }
    assert_eq!(used().await, first, "a use was noted within the minute");
    world.fakes.clock.advance(Duration::from_secs(30));
    me(&world, &key).await;
    assert_ne!(used().await, first);
}

#[tokio::test]
async fn what_is_wrong_with_a_key_is_told_by_its_place() {
    let world = World::new().await;
    let pointer = async |body: Value| {
        let answer = world.post(KEYS, body).await;
        let problem = crate::world::check_problem(&answer, 400);
        problem["errors"][0]["pointer"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(pointer(json!({ "role": "viewer" })).await, "/name");
    assert_eq!(pointer(json!({ "name": "a" })).await, "/role");
    assert_eq!(pointer(json!({ "name": "a", "role": "root" })).await, "/role");
    assert_eq!(pointer(json!({ "name": "", "role": "viewer" })).await, "/name");
    assert_eq!(pointer(json!({ "name": "a".repeat(129), "role": "viewer" })).await, "/name");
    assert_eq!(pointer(json!({ "name": "a", "role": "viewer", "id": "a/b" })).await, "/id");
    make(&world, "Schlüssel der Werkstatt 🗝", "viewer").await;
}
