//! Every refusal is a problem document.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::world::{ADMIN, World, certificate, check_problem};

#[tokio::test]
async fn the_routers_own_refusals_are_problems() {
    let world = World::new().await;
    assert_eq!(world.get("/api/v1/nothing").await.problem(404), "not_found");
    assert_eq!(world.call(Method::GET, "/", "", None).await.problem(404), "not_found");
    let answer = world.delete("/api/v1/certificates").await;
    let problem = check_problem(&answer, 405);
    assert_eq!(problem["code"], "method_not_allowed");
    let allowed: Vec<&str> = answer.header("allow").split(',').collect();
    assert!(allowed.contains(&"GET") && allowed.contains(&"POST"), "{allowed:?}");
}

#[tokio::test]
async fn a_problem_document_looks_like_this() {
    let world = World::new().await;
    let answer = world.post("/api/v1/teams", json!({ "name": 5 })).await;
    let mut problem = check_problem(&answer, 400);
    problem["request_id"] = json!("[id]");
    insta::assert_json_snapshot!(problem, @r#"
    {
      "code": "invalid_request",
      "detail": "name: invalid type: integer `5`, expected a string",
      "error": "Bad Request",
      "errors": [
        {
          "code": "invalid_value",
          "detail": "invalid type: integer `5`, expected a string",
          "pointer": "/name"
        }
      ],
      "message": "name: invalid type: integer `5`, expected a string",
      "request_id": "[id]",
      "status": 400,
      "title": "Bad Request",
      "type": "about:blank"
    }
    "#);
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused() {
    let world = World::new().await;
    let send = |body: &str| {
        let request = Request::post("/api/v1/teams").header("authorization", format!("Bearer {ADMIN}"));
        world.send(request.body(Body::from(body.to_owned())).unwrap())
    };
    assert_eq!(send("").await.problem(400), "invalid_request");
    assert_eq!(send("{").await.problem(400), "invalid_json");
    assert_eq!(send("[]").await.problem(400), "invalid_request");
    let long = format!(r#"{{"name":"{}"}}"#, "a".repeat(1 << 20));
    assert_eq!(send(&long).await.problem(413), "body_too_large");
}

#[tokio::test]
async fn a_body_is_read_whatever_its_type_says() {
    let world = World::new().await;
    for (kind, name) in
        [("application/x-www-form-urlencoded", "a"), ("application/json; charset=utf-8", "b"), ("", "c")]
    {
        let request = Request::post("/api/v1/teams")
            .header("authorization", format!("bearer {ADMIN}"))
            .header("content-type", kind)
            .body(Body::from(json!({ "name": name }).to_string()));
        world.send(request.unwrap()).await.expect(201);
    }
}

#[tokio::test]
async fn ids_that_name_nothing_are_not_found() {
    let world = World::new().await;
    for path in
        ["certificates", "issuers", "targets", "agents", "jobs", "profiles", "renewal-policies", "owners", "teams"]
    {
        assert_eq!(world.get(&format!("/api/v1/{path}/none")).await.problem(404), "not_found", "{path}");
        assert_eq!(world.get(&format!("/api/v1/{path}/no%20id")).await.problem(404), "not_found", "{path}");
        assert_eq!(world.get(&format!("/api/v1/{path}/%ff")).await.problem(404), "not_found", "{path}");
    }
    for path in ["versions", "deployments"] {
        assert_eq!(world.get(&format!("/api/v1/certificates/none/{path}")).await.problem(404), "not_found");
    }
    for path in ["renew", "deploy"] {
        assert_eq!(world.post(&format!("/api/v1/certificates/none/{path}"), json!({})).await.problem(404), "not_found");
    }
    assert_eq!(world.get("/api/v1/jobs/none/verification").await.problem(404), "not_found");
    assert_eq!(world.post("/api/v1/jobs/none/cancel", json!({})).await.problem(404), "not_found");
}

#[tokio::test]
async fn clashes_and_dangling_references_are_told_apart() {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    let again = certificate("mc-1", json!({ "name": "other" }));
    assert_eq!(world.post("/api/v1/certificates", again).await.problem(409), "already_exists");
    let same_name = certificate("mc-2", json!({ "name": "mc-1" }));
    assert_eq!(world.post("/api/v1/certificates", same_name).await.problem(409), "already_exists");
    let nobodys = certificate("mc-3", json!({ "owner_id": "own-none" }));
    world.post("/api/v1/certificates", nobodys).await.problem(400);
    assert_eq!(world.delete("/api/v1/issuers/iss-local").await.problem(409), "in_use");
}
