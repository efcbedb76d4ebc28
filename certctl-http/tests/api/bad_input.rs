//! What no client should send, to every route of the document: never a failure of the server, always a problem with a
//! code.

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use certctl_http::openapi;
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use crate::world::{ADMIN, Answer, World, certificate, check_problem, target_config};

/// One operation of the document.
struct Route {
    method: Method,
    path: String,
    /// Whether it reads JSON, and whether it must have it.
    body: Option<bool>,
    members: Vec<String>,
    query: Vec<String>,
}

fn routes() -> Vec<Route> {
    let document = serde_json::to_value(openapi::document()).unwrap();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        // Protocols have errors of a form of their own, and tests of their own.
        if path.starts_with("/.well-known/") {
            continue;
        }
        for (verb, operation) in item.as_object().unwrap() {
            if operation["operationId"].is_null() {
                continue;
            }
            let request = &operation["requestBody"];
            let schema = &request["content"]["application/json"]["schema"];
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let query = parameters.iter().filter(|parameter| parameter["in"] == "query");
            routes.push(Route {
                method: verb.to_uppercase().parse().unwrap(),
                path: path.clone(),
                body: schema.is_object().then(|| request["required"] == true),
                members: members(&document, schema),
                query: query.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect(),
            });
        }
    }
    assert!(routes.len() > 60);
    routes
}

/// The names of a request's members.
fn members(document: &Value, schema: &Value) -> Vec<String> {
    let resolved = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    let properties = resolved["properties"].as_object().cloned().unwrap_or_default();
    properties.into_iter().map(|(name, _)| name).collect()
}

fn with_ids(path: &str, id: &str) -> String {
    ["{id}", "{cert_id}", "{job_id}"].iter().fold(path.to_owned(), |path, name| path.replace(name, id))
}

/// Sends it as an administrator; what went well is not read, for it may have no end.
async fn refusal(world: &World, method: &Method, path: &str, body: Body) -> Option<Answer> {
    let request =
        Request::builder().method(method.clone()).uri(path).header("authorization", format!("Bearer {ADMIN}"));
    let response = world.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    assert!(!parts.status.is_server_error(), "{method} {path}: {}", parts.status);
    if parts.status.as_u16() < 400 {
        return None;
    }
    let octets = to_bytes(body, 1 << 20).await.unwrap().to_vec();
    let text = String::from_utf8(octets.clone()).unwrap();
    Some(Answer { status: parts.status, headers: parts.headers, text, octets })
}

/// Looks at a refusal, if it is one; gives its status, or 0.
fn checked(asked: &str, answer: Option<Answer>) -> u16 {
    let Some(answer) = answer else { return 0 };
    let status = answer.status.as_u16();
    // Protocols for machines have errors of their own.
    if (asked.contains("/.well-known/") || asked.contains("/scep"))
        && answer.header("content-type") == "text/plain; charset=utf-8"
    {
        return status;
    }
    let problem = check_problem(&answer, status);
    assert!(problem["code"].as_str().is_some_and(|code| !code.is_empty()), "{asked}: {}", answer.text);
    for error in problem["errors"].as_array().unwrap_or(&Vec::new()) {
        assert!(error["code"].is_string() && error["pointer"].is_string(), "{asked}: {}", answer.text);
    }
    status
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused_everywhere() {
    let world = World::new().await;
    let cut = [&b"{"[..], b"{\"name\":", b"{\"name\":\"a\"", b"nul", b"{'name':1}", b"\xff\xfe{}", b"<xml/>", b"{} {}"];
    let deep = "[".repeat(10_000);
    let long = |mib: usize| format!("{{\"name\":\"{}\"}}", "a".repeat(mib << 20));
    let (two_mib, seventeen_mib) = (long(2), long(17));
    for Route { method, path, body, .. } in routes() {
        let Some(required) = body else { continue };
        let path = with_ids(&path, "none");
        for text in cut.iter().copied().chain([deep.as_bytes()]) {
            let status = checked(&path, refusal(&world, &method, &path, Body::from(text.to_vec())).await);
            assert_eq!(status, 400, "{method} {path}: {}", String::from_utf8_lossy(&text[..text.len().min(20)]));
        }
        // What an agent found may be long.
        let long = if path.ends_with("/discoveries") { &seventeen_mib } else { &two_mib };
        assert_eq!(checked(&path, refusal(&world, &method, &path, Body::from(long.clone())).await), 413, "{path}");
        for empty in ["", "  \n", "null"] {
            let status = checked(&path, refusal(&world, &method, &path, Body::from(empty)).await);
            assert!(!required || status == 400, "{method} {path}: `{empty}` was answered {status}");
        }
        for other in ["[]", "7", "\"text\"", "true"] {
            let status = checked(&path, refusal(&world, &method, &path, Body::from(other)).await);
            assert_eq!(status, 400, "{method} {path}: {other}");
        }
    }
}

#[tokio::test]
async fn values_of_any_type_in_any_member_are_no_failure() {
    let world = World::new().await;
    let huge: Value = serde_json::from_str("18446744073709551615").unwrap();
    let text = "Ω".repeat(5_000);
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0.5),
        huge,
        json!(""),
        json!(" "),
        json!("nul\u{0}"),
        json!("../a"),
        json!("🗝 مفتاح"),
        json!(text),
        json!([]),
        json!([null]),
        json!([5]),
        json!(["", "a"]),
        json!({}),
        json!({ "": 1 }),
    ];
    let mut sent = 0;
    for Route { method, path, body, members, .. } in routes() {
        if body.is_none() {
            continue;
        }
        let path = with_ids(&path, "none");
        for member in members {
            for value in &values {
                let mut request =
                    Map::from_iter([("name".to_owned(), json!("a")), ("hostname".to_owned(), json!("h"))]);
                request.insert(member.clone(), value.clone());
                let asked = format!("{method} {path} {member}");
                let body = Body::from(Value::Object(request).to_string());
                checked(&asked, refusal(&world, &method, &path, body).await);
                sent += 1;
            }
        }
    }
    assert!(sent > 1_000, "{sent}");
}

#[tokio::test]
async fn ids_that_cannot_be_are_not_found() {
    let world = World::new().await;
    let long = "a".repeat(300);
    let ids = [
        "none",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "a%00b",
        "a%20b",
        "%F0%9F%97%9D",
        "%ff",
        "'%20OR%201=1--",
        "a%0d%0ab",
        "%7Bid%7D",
        "-",
        long.as_str(),
    ];
    for Route { method, path, body, .. } in routes() {
        if !path.contains('{') {
            continue;
        }
        for id in ids {
            let path = with_ids(&path, id);
            let body = if body.is_some() { Body::from("{}") } else { Body::empty() };
            let status = checked(&path, refusal(&world, &method, &path, body).await);
            assert!(matches!(status, 400 | 404), "{method} {path}: {status}");
        }
    }
}

#[tokio::test]
async fn queries_that_mean_nothing_are_no_failure() {
    let world = World::new().await;
    let values =
        ["", "-1", "0", "99999999999999999999", "abc", "%00", "%F0%9F%97%9D", "%ff", "a,b,,c", "2030-13-45", "%2B"];
    for Route { method, path, query, .. } in routes() {
        if method != Method::GET {
            continue;
        }
        let path = with_ids(&path, "none");
        for name in &query {
            for value in values {
                let asked = format!("{path}?{name}={value}");
                checked(&asked, refusal(&world, &method, &asked, Body::empty()).await);
            }
            let twice = format!("{path}?{name}=1&{name}=2");
            checked(&twice, refusal(&world, &method, &twice, Body::empty()).await);
        }
        if query.iter().any(|name| name == "cursor") && !path.contains("none") {
            let asked = format!("{path}?cursor=never-made");
            assert_eq!(checked(&asked, refusal(&world, &method, &asked, Body::empty()).await), 400, "{asked}");
        }
        if query.iter().any(|name| name == "sort") {
            let asked = format!("{path}?sort=colour");
            assert_eq!(checked(&asked, refusal(&world, &method, &asked, Body::empty()).await), 400, "{asked}");
        }
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_told_with_those_it_has() {
    let world = World::new().await;
    let routes = routes();
    for Route { path, .. } in &routes {
        let asked = with_ids(path, "none");
        let answer = refusal(&world, &Method::PATCH, &asked, Body::from("{}")).await.unwrap();
        let allowed: Vec<String> = answer.header("allow").split(',').map(|method| method.trim().to_owned()).collect();
        for other in routes.iter().filter(|other| &other.path == path) {
            assert!(allowed.contains(&other.method.to_string()), "{asked}: {} is not in {allowed:?}", other.method);
        }
        if asked.starts_with("/scep") {
            // Protocols for machines have errors of their own.
            assert_eq!(answer.status.as_u16(), 405, "{asked}");
            continue;
        }
        assert_eq!(answer.problem(405), "method_not_allowed", "{asked}");
    }
}

/// Members that no client can set, with values that would be seen.
fn read_only() -> Map<String, Value> {
    let never = json!("1999-01-01T00:00:00Z");
    let members = json!({
        "created_at": never, "updated_at": never, "last_renewal_at": never, "last_deployment_at": never, "retired_at": never,
        "registered_at": never, "last_heartbeat_at": never, "last_used_at": never, "disabled_at": never,
        "last_tested_at": never, "retired_reason": "planted", "credential": "planted", "api_key": "planted", "key": "planted",
        "hash": "planted", "lifecycle": "Revoked", "sealed_config": "planted", "test_status": "success",
        "source": "env", "configured": true, "sentinel": true, "serial_number": "planted", "fingerprint_sha256": "planted",
    });
    members.as_object().unwrap().clone()
}

#[tokio::test]
async fn members_that_no_client_can_set_have_no_effect() {
    let world = World::new().await;
    world.agent("edge-1").await;
    let target = json!({ "id": "x-1", "name": "x", "type": "NGINX", "agent_id": "edge-1", "config": target_config() });
    let creations = [
        ("teams", json!({ "id": "x-1", "name": "x" })),
        ("owners", json!({ "id": "x-1", "name": "x", "email": "x@example.com", "team_id": "team-default" })),
        ("profiles", json!({ "id": "x-1", "name": "x" })),
        ("renewal-policies", json!({ "id": "x-1", "name": "x" })),
        ("issuers", json!({ "id": "x-1", "name": "x", "type": "GenericCA", "config": {} })),
        ("targets", target),
        ("certificates", certificate("x-1", json!({ "status": "Archived" }))),
        ("agents", json!({ "id": "x-1", "name": "x", "hostname": "h", "status": "Offline" })),
        ("auth/keys", json!({ "id": "x-1", "name": "x", "role": "viewer", "disabled": true })),
    ];
    for (path, mut request) in creations {
        request.as_object_mut().unwrap().extend(read_only());
        if path != "agents" {
            // An agent says which version its program has.
            request["version"] = json!(99);
        }
        let made = world.post(&format!("/api/v1/{path}"), request).await;
        assert_eq!(made.status.as_u16(), 201, "{path}: {}", made.text);
        let stored = world.get(&format!("/api/v1/{path}/x-1")).await;
        for (answer, what) in [(&made, "made"), (&stored, "stored")] {
            assert!(
                !answer.text.contains("1999-") && !answer.text.contains("planted"),
                "{path}, {what}: {}",
                answer.text
            );
        }
        let stored = stored.expect(200);
        assert!(stored["configured"] != json!(true) && stored["disabled"] != json!(true), "{path}: {stored}");
        assert!(!matches!(stored["status"].as_str(), Some("Archived" | "Offline")), "{path}: {stored}");
        if path == "agents" {
            continue;
        }
        // In a change they have none either.
        world.fakes.clock.advance(std::time::Duration::from_secs(1));
        let changed = world.put(&format!("/api/v1/{path}/x-1"), Value::Object(read_only())).await;
        let mut changed = changed.expect(200);
        let mut before = stored;
        for answer in [&mut before, &mut changed] {
            answer.as_object_mut().unwrap().remove("updated_at");
        }
        assert_eq!(changed, before, "{path}");
    }
}

#[tokio::test]
async fn names_of_any_script_are_kept_as_they_are() {
    let world = World::new().await;
    for name in ["Zürich", "東京ゲートウェイ", "مفتاح", "🗝🔐", "e\u{301}", "a\u{202e}b", "O'Brien \"x\" <b>"]
    {
        let made = world.post("/api/v1/teams", json!({ "name": name })).await.expect(201);
        assert_eq!(made["name"], name);
        let stored = world.get(&format!("/api/v1/teams/{}", made["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(stored["name"], name);
    }
    assert_eq!(world.post("/api/v1/teams", json!({ "name": "a\u{0}b" })).await.problem(400), "invalid_request");
}
