//! Policy rules: written strictly, compared on every path, listed, and forgotten with their rule.

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{OPERATOR, VIEWER, World, certificate, check_problem, csr};

fn rule(id: &str, kind: &str, config: Value, more: Value) -> Value {
    let mut rule = json!({ "id": id, "name": id, "type": kind, "config": config });
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

impl World {
    async fn rule(&self, id: &str, kind: &str, config: Value, more: Value) -> Value {
        self.post("/api/v1/policies", rule(id, kind, config, more)).await.expect(201)
    }

    async fn violations(&self, rule: &str) -> Vec<Value> {
        let page = self.get(&format!("/api/v1/policies/{rule}/violations")).await.expect(200);
        let data = page["data"].as_array().unwrap().clone();
        assert_eq!(page["total"], json!(data.len()), "{page}");
        data
    }

    async fn submit(&self, id: &str, seed: u64) -> crate::world::Answer {
        self.post(&format!("/api/v1/certificates/{id}/csr"), json!({ "csr_pem": csr(id, seed).await })).await
    }
}

#[tokio::test]
async fn a_rule_is_made_read_merged_and_deleted() {
    let world = World::new().await;
    let config = json!({ "allowed_domains": ["*.example.com"] });
    let made = world.post("/api/v1/policies", json!({ "name": "domains", "type": "AllowedDomains", "config": config }));
    let made = made.await.expect(201);
    assert!(made["id"].as_str().unwrap().starts_with("pr-"));
    assert_eq!(
        (&made["enabled"], &made["severity"], &made["enforce"], &made["config"]),
        (&json!(true), &json!("Warning"), &json!(false), &config)
    );
    let path = format!("/api/v1/policies/{}", made["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.expect(200), made);
    let changed = world.put(&path, json!({ "enabled": false, "id": "pr-other" })).await.expect(200);
    assert_eq!((&changed["enabled"], &changed["config"], &changed["id"]), (&json!(false), &config, &made["id"]));
    let changed = world.put(&path, json!({ "severity": "Critical", "enforce": true })).await.expect(200);
    assert_eq!((&changed["enabled"], &changed["severity"]), (&json!(false), &json!("Critical")));
    // The configuration fits the type that is stored, and another type needs another.
    world.put(&path, json!({ "type": "AllowedIssuers" })).await.problem(400);
    let both = json!({ "type": "AllowedIssuers", "config": { "allowed_issuer_ids": ["iss-local"] } });
    assert_eq!(world.put(&path, both).await.expect(200)["type"], "AllowedIssuers");
    let listed = world.get("/api/v1/policies").await.expect(200);
    assert_eq!((&listed["total"], &listed["data"][0]["id"]), (&json!(1), &made["id"]));
    world.delete(&path).await.expect(204);
    for gone in [world.get(&path).await, world.put(&path, json!({})).await, world.delete(&path).await] {
        gone.problem(404);
    }
    world.get(&format!("{path}/violations")).await.problem(404);
}

#[tokio::test]
async fn bad_rules_are_refused_with_what_is_wrong() {
    let world = World::new().await;
    let answer = world.post("/api/v1/policies", rule("pr-1", "Domains", json!({}), json!({}))).await;
    let problem = check_problem(&answer, 400);
    assert_eq!(problem["errors"][0]["pointer"], "/type");
    for kind in [
        "AllowedDomains",
        "AllowedEnvironments",
        "AllowedIssuers",
        "CertificateLifetime",
        "RenewalLeadTime",
        "RequiredMetadata",
    ] {
        assert!(answer.text.contains(kind), "{}", answer.text);
        let answer = world.post("/api/v1/policies", rule("pr-1", kind, json!({ "colour": 1 }), json!({}))).await;
        let problem = check_problem(&answer, 400);
        assert_eq!(problem["errors"][0]["pointer"], "/config/colour", "{problem}");
        assert_eq!(problem["errors"][0]["code"], "unknown_member");
    }
    let lifetime = |days: Value| rule("pr-1", "CertificateLifetime", json!({ "max_days": days }), json!({}));
    for days in [json!(0), json!(-1), json!("90"), json!(1.5), Value::Null, json!([90])] {
        world.post("/api/v1/policies", lifetime(days)).await.problem(400);
    }
    let severity = rule("pr-1", "RenewalLeadTime", json!({}), json!({ "severity": "Mild" }));
    assert!(world.post("/api/v1/policies", severity).await.text.contains("Critical"));
    let config = rule("pr-1", "RenewalLeadTime", json!([30]), json!({}));
    assert_eq!(check_problem(&world.post("/api/v1/policies", config).await, 400)["errors"][0]["pointer"], "/config");
    world.post("/api/v1/policies", lifetime(json!(90))).await.expect(201);
    world.post("/api/v1/policies", lifetime(json!(90))).await.problem(409);
    for key in [OPERATOR, VIEWER] {
        let by = world.call(Method::POST, "/api/v1/policies", key, Some(lifetime(json!(9)))).await;
        assert_eq!(by.problem(403), "forbidden");
    }
}

#[tokio::test]
async fn violations_are_noted_once_refreshed_and_forgotten() {
    let world = World::new().await;
    world.rule("pr-env", "AllowedEnvironments", json!({ "allowed": ["production"] }), json!({})).await;
    world
        .rule("pr-tag", "RequiredMetadata", json!({ "required_keys": ["team"] }), json!({ "severity": "Error" }))
        .await;
    world.certificate("mc-1", json!({ "environment": "test" })).await;
    let first = world.violations("pr-env").await;
    assert_eq!(
        (first.len(), &first[0]["certificate_id"], &first[0]["severity"]),
        (1, &json!("mc-1"), &json!("Warning"))
    );
    assert!(
        first[0]["message"].as_str().unwrap().contains("`test`") && first[0]["id"].as_str().unwrap().starts_with("pv-")
    );
    assert_eq!(world.violations("pr-tag").await[0]["severity"], "Error");

    world.put("/api/v1/certificates/mc-1", json!({ "environment": "stage" })).await.expect(200);
    let again = world.violations("pr-env").await;
    assert_eq!((again.len(), &again[0]["id"], &again[0]["created_at"]), (1, &first[0]["id"], &first[0]["created_at"]));
    assert!(again[0]["message"].as_str().unwrap().contains("`stage`"));

    world.put("/api/v1/certificates/mc-1", json!({ "environment": "production" })).await.expect(200);
    assert_eq!(world.violations("pr-env").await, Vec::<Value>::new());
    assert_eq!(world.violations("pr-tag").await.len(), 1);
    // A severity follows its rule; another configuration, or none, forgets what violated the one before.
    world.put("/api/v1/policies/pr-tag", json!({ "severity": "Critical" })).await.expect(200);
    assert_eq!(world.violations("pr-tag").await[0]["severity"], "Critical");
    world.put("/api/v1/policies/pr-tag", json!({ "enabled": false })).await.expect(200);
    assert_eq!(world.violations("pr-tag").await.len(), 0);
    world.put("/api/v1/certificates/mc-1", json!({ "name": "mc-1" })).await.expect(200);
    assert_eq!(world.violations("pr-tag").await.len(), 0);

    // A rule goes with what violates it, and a certificate that is put away violates nothing.
    world.put("/api/v1/policies/pr-tag", json!({ "enabled": true })).await.expect(200);
    world.certificate("mc-2", json!({})).await;
    world.certificate("mc-3", json!({})).await;
    assert_eq!(world.violations("pr-tag").await.len(), 2);
    world.delete("/api/v1/certificates/mc-2").await.expect(204);
    assert_eq!(world.violations("pr-tag").await.len(), 1);
    world.delete("/api/v1/policies/pr-tag").await.expect(204);
}

#[tokio::test]
async fn an_enforcing_rule_refuses_what_is_written_and_names_every_place() {
    let world = World::new().await;
    let enforce = || json!({ "enforce": true });
    world.rule("pr-dom", "AllowedDomains", json!({ "allowed_domains": ["*.example.com"] }), enforce()).await;
    world.rule("pr-tag", "RequiredMetadata", json!({ "required_keys": ["team"] }), enforce()).await;
    world.rule("pr-env", "AllowedEnvironments", json!({ "allowed": ["production"] }), json!({})).await;
    let answer = world.post("/api/v1/certificates", certificate("mc-1", json!({}))).await;
    let problem = check_problem(&answer, 422);
    assert_eq!(problem["code"], "policy_violation");
    let places: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(places, ["/sans/0", "/tags"], "{problem}");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("pr-dom"));
    world.get("/api/v1/certificates/mc-1").await.problem(404);
    assert_eq!(world.violations("pr-env").await.len(), 0);

    let fits = json!({ "sans": ["www.example.com"], "tags": { "team": "shop" }, "environment": "production" });
    world.certificate("mc-1", fits).await;
    let refused = world.put("/api/v1/certificates/mc-1", json!({ "tags": {} })).await;
    assert_eq!(refused.problem(422), "policy_violation");
    assert_eq!(world.get("/api/v1/certificates/mc-1").await.expect(200)["tags"], json!({ "team": "shop" }));
    world.put("/api/v1/certificates/mc-1", json!({ "environment": "test" })).await.expect(200);
    assert_eq!(world.violations("pr-env").await.len(), 1);
}

#[tokio::test]
async fn an_enforcing_rule_ends_an_issuance_with_its_reason() {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    let config = json!({ "allowed_issuer_ids": ["iss-other"] });
    world.rule("pr-iss", "AllowedIssuers", config, json!({ "enforce": true, "severity": "Critical" })).await;
    let answer = world.submit("mc-1", 1).await;
    let problem = check_problem(&answer, 422);
    assert_eq!(
        (&problem["code"], &problem["errors"][0]["pointer"]),
        (&json!("policy_violation"), &json!("/issuer_id"))
    );
    let jobs = world.get("/api/v1/jobs?certificate_id=mc-1").await.expect(200);
    let job = &jobs["data"][0];
    assert_eq!((&jobs["total"], &job["status"]), (&json!(1), &json!("Failed")));
    assert!(job["last_error"].as_str().unwrap().contains("pr-iss"), "{job}");
    assert_eq!(world.get("/api/v1/certificates/mc-1").await.expect(200)["status"], "Failed");
    assert_eq!(world.violations("pr-iss").await[0]["certificate_id"], "mc-1");
    // Asking again by hand is refused at once, and so is a request without a job.
    assert_eq!(world.post("/api/v1/certificates/mc-1/renew", json!({})).await.problem(422), "policy_violation");
    assert_eq!(world.submit("mc-1", 2).await.problem(422), "policy_violation");
    // Without the rule it goes on.
    world.delete("/api/v1/policies/pr-iss").await.expect(204);
    world.submit("mc-1", 3).await.expect(202);
    assert_eq!(world.get("/api/v1/certificates/mc-1").await.expect(200)["status"], "Active");
}

#[tokio::test]
async fn the_lifetime_is_judged_by_what_was_issued() {
    let world = World::new().await;
    let rule = world.rule("pr-life", "CertificateLifetime", json!({ "max_days": 30 }), json!({})).await;
    assert_eq!(rule["enforce"], false);
    world.rule("pr-lead", "RenewalLeadTime", json!({ "lead_time_days": 365 }), json!({})).await;
    world.certificate("mc-1", json!({})).await;
    assert_eq!((world.violations("pr-life").await.len(), world.violations("pr-lead").await.len()), (0, 0));
    world.submit("mc-1", 1).await.expect(202);
    assert!(world.violations("pr-life").await[0]["message"].as_str().unwrap().contains("30 days"));
    assert_eq!(world.violations("pr-lead").await.len(), 1);

    // Enforced, a version that lives too long is not recorded, but people may still write.
    world.put("/api/v1/policies/pr-life", json!({ "enforce": true })).await.expect(200);
    world.put("/api/v1/certificates/mc-1", json!({ "environment": "test" })).await.expect(200);
    let before = world.get("/api/v1/certificates/mc-1/versions").await.expect(200);
    assert_eq!(world.submit("mc-1", 2).await.problem(422), "policy_violation");
    assert_eq!(world.get("/api/v1/certificates/mc-1/versions").await.expect(200)["total"], before["total"]);
    // A profile that limits it cures both.
    let profile = json!({ "id": "prof-short", "name": "short", "max_ttl_seconds": 86_400 * 20 });
    world.post("/api/v1/profiles", profile).await.expect(201);
    world.put("/api/v1/certificates/mc-1", json!({ "certificate_profile_id": "prof-short" })).await.expect(200);
    world.submit("mc-1", 3).await.expect(202);
    assert_eq!(world.violations("pr-life").await.len(), 0);
}

#[tokio::test]
async fn an_agents_request_is_compared_too() {
    let world = World::new().await;
    let credential = world.agent("edge-9").await;
    world.target("tgt-9", "edge-9").await;
    world.certificate("mc-9", json!({ "target_ids": ["tgt-9"] })).await;
    world.rule("pr-env", "AllowedEnvironments", json!({ "allowed": ["production"] }), json!({ "enforce": true })).await;
    let request = json!({ "certificate_id": "mc-9", "csr_pem": csr("mc-9", 1).await });
    let answer = world.call(Method::POST, "/api/v1/agents/edge-9/csr", &credential, Some(request)).await;
    assert_eq!(answer.problem(422), "policy_violation");
    let job = world.get("/api/v1/jobs?certificate_id=mc-9").await.expect(200)["data"][0].clone();
    assert_eq!((&job["status"], &job["attempts"]), (&json!("Failed"), &json!(1)));
    // The agent reports what it was told, which is known already.
    let path = format!("/api/v1/agents/edge-9/jobs/{}/status", job["id"].as_str().unwrap());
    world.call(Method::POST, &path, &credential, Some(json!({ "status": "Failed" }))).await.expect(200);
    assert_eq!(world.call(Method::GET, "/api/v1/agents/edge-9/work", &credential, None).await.expect(200)["count"], 0);
}

#[tokio::test]
async fn a_rule_for_a_group_concerns_the_certificates_of_its_members() {
    let world = World::new().await;
    let edge = world.agent("edge-9").await;
    let core = world.agent("core-9").await;
    world.target("tgt-edge", "edge-9").await;
    world.target("tgt-core", "core-9").await;
    let group = json!({ "id": "g-edge", "name": "edge", "include_agent_ids": ["edge-9"] });
    world.post("/api/v1/agent-groups", group).await.expect(201);
    let config = || json!({ "allowed": ["production"] });
    let unknown = rule("pr-env", "AllowedEnvironments", config(), json!({ "agent_group_id": "g-none" }));
    let problem = check_problem(&world.post("/api/v1/policies", unknown).await, 400);
    assert_eq!(
        (&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]),
        (&json!("/agent_group_id"), &json!("unknown_reference"))
    );
    let made = world.rule("pr-env", "AllowedEnvironments", config(), json!({ "agent_group_id": "g-edge" })).await;
    assert_eq!(made["agent_group_id"], "g-edge");
    let path = "/api/v1/policies/pr-env";
    assert_eq!(check_problem(&world.put(path, json!({ "agent_group_id": "g-none" })).await, 400)["status"], 400);
    assert_eq!(world.get(path).await.expect(200), made);

    let violating = || async {
        let found = world.violations("pr-env").await;
        let mut ids: Vec<String> =
            found.iter().map(|violation| violation["certificate_id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    world.certificate("mc-own", json!({})).await;
    world.certificate("mc-core", json!({ "target_ids": ["tgt-core"] })).await;
    world.certificate("mc-edge", json!({ "target_ids": ["tgt-edge"] })).await;
    world.certificate("mc-held", json!({ "agent_id": "edge-9" })).await;
    world.certificate("mc-both", json!({ "target_ids": ["tgt-core", "tgt-edge"] })).await;
    assert_eq!(violating().await, ["mc-both", "mc-edge", "mc-held"]);

    // Who holds the key decides, as it is after the change; what it violated before is resolved.
    world.put("/api/v1/certificates/mc-edge", json!({ "target_ids": ["tgt-core"] })).await.expect(200);
    assert_eq!(violating().await, ["mc-both", "mc-held"]);
    world.put("/api/v1/certificates/mc-edge", json!({ "target_ids": ["tgt-edge"] })).await.expect(200);
    assert_eq!(violating().await, ["mc-both", "mc-edge", "mc-held"]);
    // A disabled group has nobody.
    world.put("/api/v1/agent-groups/g-edge", json!({ "enabled": false })).await.expect(200);
    world.put("/api/v1/certificates/mc-held", json!({ "name": "mc-held" })).await.expect(200);
    assert_eq!(violating().await, ["mc-both", "mc-edge"]);
    world.put("/api/v1/agent-groups/g-edge", json!({ "enabled": true })).await.expect(200);

    world.put(path, json!({ "enforce": true })).await.expect(200);
    let refused = |more| world.post("/api/v1/certificates", certificate("mc-new", more));
    assert_eq!(refused(json!({ "target_ids": ["tgt-edge"] })).await.problem(422), "policy_violation");
    world.certificate("mc-new", json!({ "target_ids": ["tgt-core"] })).await;
    for (agent, credential, id, status) in
        [("edge-9", &edge, "mc-both", 422), ("core-9", &core, "mc-both", 422), ("core-9", &core, "mc-core", 202)]
    {
        let request = json!({ "certificate_id": id, "csr_pem": csr(id, 1).await });
        let answer = world.call(Method::POST, &format!("/api/v1/agents/{agent}/csr"), credential, Some(request)).await;
        assert_eq!(answer.status.as_u16(), status, "{agent} {id}: {}", answer.text);
    }
    assert_eq!(world.post("/api/v1/certificates/mc-both/renew", json!({})).await.problem(422), "policy_violation");

    // The group stays while a rule is for it.
    assert_eq!(world.delete("/api/v1/agent-groups/g-edge").await.problem(409), "in_use");
    let changed = world.put(path, json!({ "agent_group_id": null })).await.expect(200);
    assert_eq!(changed.get("agent_group_id"), None);
    assert!(violating().await.is_empty(), "it is another rule now");
    assert_eq!(refused(json!({ "id": "mc-more", "target_ids": ["tgt-core"] })).await.problem(422), "policy_violation");
    world.delete("/api/v1/agent-groups/g-edge").await.expect(204);
}
