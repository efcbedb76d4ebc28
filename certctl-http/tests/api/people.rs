//! Changing and deleting teams, owners, profiles and renewal policies.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{OPERATOR, VIEWER, World, check_problem, csr};

/// Where each of them is, a member to change, a wrong value of it, and the id of one that is used.
fn kinds() -> [(&'static str, Value, Value, &'static str, Value); 4] {
    [
        ("teams", json!({ "description": "new" }), json!({ "name": " " }), "team-default", json!({})),
        (
            "owners",
            json!({ "email": "new@example.com" }),
            json!({ "email": "nobody" }),
            "o-default",
            json!({ "email": "old@example.com", "team_id": "team-default" }),
        ),
        (
            "profiles",
            json!({ "max_ttl_seconds": 3600 }),
            json!({ "allow_short_lived": true }),
            "prof-used",
            json!({ "description": "old" }),
        ),
        (
            "renewal-policies",
            json!({ "renewal_window_days": 20 }),
            json!({ "max_retries": 0 }),
            "rp-used",
            json!({ "auto_renew": false, "alert_thresholds_days": [3] }),
        ),
    ]
}

fn with_id(id: &str, more: &Value) -> Value {
    let mut body = json!({ "id": id, "name": id });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn an_update_keeps_what_is_not_given_and_answers_the_whole() {
    let world = World::new().await;
    for (path, change, wrong, _, more) in kinds() {
        let made = world.post(&format!("/api/v1/{path}"), with_id("x-1", &more)).await.expect(201);
        let one = format!("/api/v1/{path}/x-1");
        world.fakes.clock.advance(Duration::from_secs(1));
        // The id and the times are no members of an update.
        let mut sent = change.clone();
        sent.as_object_mut().unwrap().extend([("id".into(), json!("x-2")), ("created_at".into(), json!(7))]);
        let changed = world.put(&one, sent).await.expect(200);
        let mut expected = made.clone();
        expected.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert!(changed["updated_at"].as_str() > made["updated_at"].as_str(), "{path}");
        expected["updated_at"] = changed["updated_at"].clone();
        assert_eq!(changed, expected, "{path}");
        assert_eq!(world.get(&one).await.expect(200), changed, "{path}");

        world.put(&one, wrong).await.problem(400);
        world.put(&one, json!({ "name": 5 })).await.problem(400);
        assert_eq!(world.get(&one).await.expect(200), changed, "{path}: a refused update changed something");
        let nulls = world.put(&one, json!({ "name": null })).await.expect(200);
        assert_eq!(nulls["name"], "x-1", "{path}");
        world.put(&format!("/api/v1/{path}/none"), change).await.problem(404);
    }
}

#[tokio::test]
async fn names_stay_unique() {
    let world = World::new().await;
    for (path, .., more) in kinds() {
        for id in ["x-1", "x-2"] {
            world.post(&format!("/api/v1/{path}"), with_id(id, &more)).await.expect(201);
        }
        let taken = world.put(&format!("/api/v1/{path}/x-2"), json!({ "name": "x-1" })).await;
        assert_eq!(taken.problem(409), "already_exists", "{path}");
    }
    let unknown = world.put("/api/v1/owners/x-1", json!({ "team_id": "team-none" })).await;
    assert_eq!(check_problem(&unknown, 400)["errors"][0]["pointer"], "/team_id");
}

#[tokio::test]
async fn what_is_used_stays_and_the_answer_says_by_what() {
    let world = World::new().await;
    for (path, .., id, more) in &kinds()[2..] {
        world.post(&format!("/api/v1/{path}"), with_id(id, more)).await.expect(201);
    }
    let rules = json!({ "certificate_profile_id": "prof-used", "renewal_policy_id": "rp-used", "issue": false });
    world.certificate("mc-1", rules).await;
    for (path, _, _, used, more) in kinds() {
        let refused = check_problem(&world.delete(&format!("/api/v1/{path}/{used}")).await, 409);
        assert_eq!(refused["code"], "in_use", "{path}");
        let by = if path == "teams" { "1 owner " } else { "1 managed certificate " };
        assert!(refused["detail"].as_str().unwrap().starts_with(by), "{path}: {}", refused["detail"]);
        world.get(&format!("/api/v1/{path}/{used}")).await.expect(200);

        world.post(&format!("/api/v1/{path}"), with_id("x-1", &more)).await.expect(201);
        let one = format!("/api/v1/{path}/x-1");
        world.delete(&one).await.expect(204);
        world.get(&one).await.problem(404);
        world.delete(&one).await.problem(404);
    }
}

#[tokio::test]
async fn the_defaults_stay() {
    let world = World::new().await;
    for path in ["profiles/prof-default", "renewal-policies/rp-default"] {
        let path = format!("/api/v1/{path}");
        assert_eq!(world.delete(&path).await.problem(409), "in_use");
        assert_eq!(world.put(&path, json!({ "name": "ours" })).await.expect(200)["name"], "ours");
    }
}

#[tokio::test]
async fn a_renewal_policy_that_changes_plans_its_certificates_anew() {
    let world = World::new().await;
    let policy = json!({ "id": "rp-x", "name": "x", "renewal_window_days": 3, "auto_renew": true });
    world.post("/api/v1/renewal-policies", policy).await.expect(201);
    world.certificate("mc-1", json!({ "renewal_policy_id": "rp-x" })).await;
    let request = json!({ "csr_pem": csr("mc-1", 1).await });
    world.post("/api/v1/certificates/mc-1/csr", request).await.expect(202);
    let (path, rules) = ("/api/v1/certificates/mc-1", "/api/v1/renewal-policies/rp-x");
    let planned = world.get(path).await.expect(200)["renew_at"].clone();
    assert!(planned.is_string());

    let change = async |change: Value| {
        world.put(rules, change).await.expect(200);
        world.fakes.clock.advance(Duration::from_secs(3));
        world.engine.step().await.unwrap();
        world.get(path).await.expect(200)["renew_at"].clone()
    };
    assert_eq!(change(json!({ "auto_renew": false })).await, Value::Null);
    assert!(change(json!({ "auto_renew": true })).await.is_string());
    let later = change(json!({ "renewal_window_days": 1 })).await;
    assert!(later.as_str() > planned.as_str(), "{later} {planned}");

    // A certificate that moves is planned with the answer.
    let off = json!({ "id": "rp-off", "name": "off", "auto_renew": false });
    world.post("/api/v1/renewal-policies", off).await.expect(201);
    let moved = world.put(path, json!({ "renewal_policy_id": "rp-off" })).await.expect(200);
    assert_eq!(moved["renew_at"], Value::Null);
    assert!(world.put(path, json!({ "renewal_policy_id": "rp-x" })).await.expect(200)["renew_at"].is_string());
}

#[tokio::test]
async fn operators_keep_people_and_administrators_keep_rules() {
    let world = World::new().await;
    for (path, change, .., more) in kinds() {
        world.post(&format!("/api/v1/{path}"), with_id("x-1", &more)).await.expect(201);
        let one = format!("/api/v1/{path}/x-1");
        world.call(Method::PUT, &one, VIEWER, Some(change.clone())).await.problem(403);
        let rules = ["profiles", "renewal-policies"].contains(&path);
        let answer = world.call(Method::PUT, &one, OPERATOR, Some(change)).await;
        assert_eq!(answer.status == 403, rules, "{path}: {}", answer.text);
        let answer = world.call(Method::DELETE, &one, OPERATOR, None).await;
        assert_eq!(answer.status == 403, rules, "{path}: {}", answer.text);
    }
}
