//! Deployment in waves: how a renewal policy says it, and how it is seen and continued.

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{AGENT, OPERATOR, VIEWER, World, csr};

const POLICY: &str = "/api/v1/renewal-policies/rp-default";

#[tokio::test]
async fn a_renewal_policy_says_how_it_deploys() {
    let world = World::new().await;
    let policy = world.get(POLICY).await.expect(200);
    assert_eq!(policy.get("deployment_waves"), None, "a policy without waves is what it was");
    let usual = world.put(POLICY, json!({ "deployment_waves": {} })).await.expect(200);
    assert_eq!(usual["deployment_waves"], json!({ "canary": 1, "pause_seconds": 0, "on_failure": "halt" }));
    let waves = json!({
        "canary": 2, "batch_size": 10, "max_unavailable": 3, "pause_seconds": 600, "on_failure": "rollback",
    });
    let changed = world.put(POLICY, json!({ "deployment_waves": waves })).await.expect(200);
    assert_eq!(changed["deployment_waves"], waves);
    let renamed = world.put(POLICY, json!({ "name": "other" })).await.expect(200);
    assert_eq!(renamed["deployment_waves"], waves, "what is not given stays");
    assert_eq!(world.get("/api/v1/renewal-policies").await.expect(200)["data"][0]["deployment_waves"], waves);
    let cleared = world.put(POLICY, json!({ "deployment_waves": null })).await.expect(200);
    assert_eq!(cleared.get("deployment_waves"), None);
    let made =
        world.post("/api/v1/renewal-policies", json!({ "name": "x", "deployment_waves": waves })).await.expect(201);
    assert_eq!(made["deployment_waves"], waves);
    let without = world.post("/api/v1/renewal-policies", json!({ "name": "y", "deployment_waves": null })).await;
    assert_eq!(without.expect(201).get("deployment_waves"), None);
}

#[tokio::test]
async fn waves_that_make_no_sense_are_refused_with_their_place() {
    let world = World::new().await;
    for (waves, pointer) in [
        (json!({ "canary": -1 }), "/deployment_waves/canary"),
        (json!({ "canary": 501 }), "/deployment_waves/canary"),
        (json!({ "canary": 9_223_372_036_854_775_807_i64 }), "/deployment_waves/canary"),
        (json!({ "canary": "one" }), "/deployment_waves/canary"),
        (json!({ "canary": 1.5 }), "/deployment_waves/canary"),
        (json!({ "batch_size": 0 }), "/deployment_waves/batch_size"),
        (json!({ "batch_size": 501 }), "/deployment_waves/batch_size"),
        (json!({ "max_unavailable": 0 }), "/deployment_waves/max_unavailable"),
        (json!({ "max_unavailable": "10%" }), "/deployment_waves/max_unavailable"),
        (json!({ "pause_seconds": -1 }), "/deployment_waves/pause_seconds"),
        (json!({ "pause_seconds": 604_801 }), "/deployment_waves/pause_seconds"),
        (json!({ "on_failure": "panic" }), "/deployment_waves/on_failure"),
        // A member that nobody knows would stand for a limit that nobody keeps.
        (json!({ "batchsize": 5 }), "/deployment_waves/batchsize"),
        (json!("all"), "/deployment_waves"),
        (json!(true), "/deployment_waves"),
    ] {
        let request = json!({ "name": "bad", "deployment_waves": waves });
        for answer in [world.put(POLICY, request.clone()).await, world.post("/api/v1/renewal-policies", request).await]
        {
            let problem = answer.json();
            assert_eq!(answer.problem(400), "invalid_request", "{waves}");
            let named = problem["errors"][0]["pointer"].as_str().unwrap_or_default();
            assert!(pointer.starts_with(named) && named.starts_with("/deployment_waves"), "{waves}: {problem}");
        }
    }
    let policy = world.get(POLICY).await.expect(200);
    assert_eq!((policy.get("deployment_waves"), policy["name"] == "bad"), (None, false), "nothing was changed");
}

async fn work(world: &World) -> Vec<Value> {
    let work = world.call(Method::GET, "/api/v1/agents/edge-1/work", AGENT, None).await.expect(200);
    work["jobs"].as_array().unwrap().clone()
}

async fn report(world: &World, job: &Value, status: &str) {
    let path = format!("/api/v1/agents/edge-1/jobs/{}/status", job["id"].as_str().unwrap());
    world.call(Method::POST, &path, AGENT, Some(json!({ "status": status }))).await.expect(200);
}

async fn gate(world: &World) -> Option<Value> {
    let explained = world.get("/api/v1/certificates/mc-1/explain").await.expect(200);
    explained["gates"].as_array().unwrap().iter().find(|gate| gate["name"] == "rollout").cloned()
}

#[tokio::test]
async fn a_rollout_is_halted_seen_and_continued_over_the_api() {
    let world = World::new().await;
    world.put(POLICY, json!({ "deployment_waves": { "canary": 1 } })).await.expect(200);
    world.agent("edge-1").await;
    for target in ["tgt-1", "tgt-2", "tgt-3"] {
        world.target(target, "edge-1").await;
    }
    world.certificate("mc-1", json!({ "target_ids": ["tgt-3", "tgt-1", "tgt-2"] })).await;
    let request = json!({ "csr_pem": csr("mc-1", 1).await, "certificate_id": "mc-1" });
    world.call(Method::POST, "/api/v1/agents/edge-1/csr", AGENT, Some(request)).await.expect(202);

    let jobs = work(&world).await;
    assert_eq!(jobs.iter().map(|job| job["target_id"].clone()).collect::<Vec<_>>(), ["tgt-1"]);
    assert_eq!(gate(&world).await.unwrap()["verdict"], "waiting");
    let verify = json!({
        "target_id": "tgt-1", "expected_fingerprint": jobs[0]["expected_fingerprint"],
        "actual_fingerprint": "ab".repeat(32), "verified": false,
    });
    let path = format!("/api/v1/jobs/{}/verify", jobs[0]["id"].as_str().unwrap());
    world.call(Method::POST, &path, AGENT, Some(verify)).await.expect(200);
    report(&world, &jobs[0], "Completed").await;

    let halted = gate(&world).await.unwrap();
    assert_eq!(halted["verdict"], "closed");
    assert!(halted["reason"].as_str().unwrap().contains("tgt-1 does not serve"), "{halted}");
    assert_eq!(work(&world).await, [Value::Null; 0]);
    let called_off = world.get("/api/v1/jobs?status=Cancelled").await.expect(200);
    assert_eq!(called_off["total"], 2);
    assert!(called_off["data"][0]["last_error"].as_str().unwrap().contains("the rollout was halted"));
    let events = world.get("/api/v1/audit?per_page=500").await.expect(200);
    let halts =
        events["data"].as_array().unwrap().iter().filter(|event| event["action"] == "deployment_rollout_halted");
    assert_eq!(
        halts.map(|event| event["details"]["untouched"].clone()).collect::<Vec<_>>(),
        [json!(["tgt-2", "tgt-3"])]
    );

    let deploy = "/api/v1/certificates/mc-1/deploy";
    world.call(Method::POST, deploy, VIEWER, None).await.problem(403);
    world.fakes.clock.advance(std::time::Duration::from_secs(5));
    let going = world.call(Method::POST, deploy, OPERATOR, None).await.expect(202);
    assert_eq!(going["job_ids"].as_array().unwrap().len(), 3);
    for turn in [vec!["tgt-1"], vec!["tgt-2", "tgt-3"]] {
        let jobs = work(&world).await;
        let mut targets: Vec<_> = jobs.iter().map(|job| job["target_id"].as_str().unwrap().to_owned()).collect();
        targets.sort();
        assert_eq!(targets, turn);
        for job in &jobs {
            report(&world, job, "Completed").await;
        }
    }
    assert_eq!(gate(&world).await, None);
}

#[tokio::test]
async fn an_agent_fetches_the_version_that_its_job_is_about_and_no_others() {
    let world = World::new().await;
    world.agent("edge-1").await;
    world.target("tgt-1", "edge-1").await;
    world.certificate("mc-1", json!({ "target_ids": ["tgt-1"] })).await;
    let mut versions = Vec::new();
    for seed in [1, 2] {
        if seed > 1 {
            world.post("/api/v1/certificates/mc-1/renew", json!({})).await.expect(202);
        }
        let request = json!({ "csr_pem": csr("mc-1", seed).await, "certificate_id": "mc-1" });
        world.call(Method::POST, "/api/v1/agents/edge-1/csr", AGENT, Some(request)).await.expect(202);
        let shown = world.get("/api/v1/certificates/mc-1/versions").await.expect(200);
        versions.push(shown["data"][0]["id"].as_str().unwrap().to_owned());
        world.fakes.clock.advance(std::time::Duration::from_secs(5));
    }
    let path = "/api/v1/agents/edge-1/certificates/mc-1";
    let pick = async |query: String| world.call(Method::GET, &format!("{path}{query}"), AGENT, None).await;
    let newest = pick(String::new()).await.expect(200);
    assert_eq!(pick(format!("?version_id={}", versions[1])).await.expect(200), newest);
    assert_ne!(pick(format!("?version_id={}", versions[0])).await.expect(200), newest);
    pick("?version_id=cv-none".into()).await.problem(404);
    pick("?version_id=a%20b".into()).await.problem(400);
    world.certificate("mc-2", json!({ "agent_id": "edge-1" })).await;
    let other = format!("/api/v1/agents/edge-1/certificates/mc-2?version_id={}", versions[0]);
    world.call(Method::GET, &other, AGENT, None).await.problem(404);
}
