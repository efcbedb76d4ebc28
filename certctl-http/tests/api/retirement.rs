//! `DELETE /api/v1/agents/{id}`, the list of retired agents, and what a retired agent is answered.

use axum::http::Method;
use serde_json::{Value, json};

use crate::agent::Edge;
use crate::world::{ADMIN, AGENT, AUDITOR, OPERATOR, VIEWER, World, check_problem, csr};

const AGENT_PATH: &str = "/api/v1/agents/edge-1";
const FORCED: &str = "/api/v1/agents/edge-1?force=true&reason=sold";

async fn names(world: &World, path: &str) -> Vec<String> {
    let list = world.get(path).await.expect(200);
    let names: Vec<String> =
        list["data"].as_array().unwrap().iter().map(|agent| agent["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(list["total"], names.len());
    names
}

#[tokio::test]
async fn an_agent_that_nothing_depends_on_is_retired() {
    let world = World::new().await;
    world.agent("edge-1").await;
    let done = world.delete(AGENT_PATH).await.expect(200);
    let nothing = json!({ "active_targets": 0, "active_certificates": 0, "pending_jobs": 0 });
    let retired_at = &done["retired_at"];
    assert_eq!(
        done,
        json!({ "retired_at": retired_at, "already_retired": false, "cascade": false, "counts": nothing })
    );
    let agent = world.get(AGENT_PATH).await.expect(200);
    assert_eq!((&agent["retired_at"], &agent["status"]), (retired_at, &json!("Offline")));
    assert!(agent.get("retired_reason").is_none());
    // Again it is no news.
    let again = world.delete(FORCED).await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (204, ""));
    assert_eq!(world.get(AGENT_PATH).await.expect(200), agent);
}

#[tokio::test]
async fn what_depends_on_it_blocks_with_counts_at_the_top() {
    let edge = Edge::new().await;
    let answer = edge.world.delete(AGENT_PATH).await;
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.expect(409);
    assert_eq!((&problem["error"], &problem["code"]), (&json!("blocked_by_dependencies"), &problem["error"]));
    assert_eq!(problem["counts"], json!({ "active_targets": 1, "active_certificates": 1, "pending_jobs": 1 }));
    assert_eq!((&problem["title"], &problem["status"]), (&json!("Conflict"), &json!(409)));
    assert_eq!(problem["message"], problem["detail"]);
    assert!(edge.world.get(AGENT_PATH).await.expect(200).get("retired_at").is_none());
    edge.get("/work").await.expect(200);
}

#[tokio::test]
async fn force_takes_targets_and_jobs_along() {
    let edge = Edge::new().await;
    let job = edge.deployment().await["id"].as_str().unwrap().to_owned();
    let done = edge.world.delete(FORCED).await.expect(200);
    assert_eq!((&done["cascade"], &done["counts"]["pending_jobs"]), (&json!(true), &json!(1)));
    let target = edge.world.get("/api/v1/targets/tgt-1").await.expect(200);
    assert_eq!((&target["retired_at"], &target["retired_reason"]), (&done["retired_at"], &json!("sold")));
    assert_eq!(edge.world.get(AGENT_PATH).await.expect(200)["retired_reason"], "sold");
    assert_eq!(edge.world.get("/api/v1/targets").await.expect(200)["total"], 0);
    let job = edge.world.get(&format!("/api/v1/jobs/{job}")).await.expect(200);
    assert_eq!((&job["status"], &job["completed_at"]), (&json!("Cancelled"), &done["retired_at"]));
    let renew = edge.world.post("/api/v1/certificates/mc-1/renew", json!({})).await;
    assert_eq!(renew.problem(409), "no_key_holder");
}

#[tokio::test]
async fn each_refusal_has_its_status() {
    let edge = Edge::new().await;
    for id in ["server-scanner", "cloud-aws-sm", "cloud-azure-kv", "cloud-gcp-sm"] {
        for query in ["", "?force=true", "?force=true&reason=x"] {
            let refused = edge.world.delete(&format!("/api/v1/agents/{id}{query}")).await;
            assert_eq!(refused.problem(403), "agent_is_sentinel");
        }
    }
    edge.world.delete("/api/v1/agents/none?force=true").await.problem(404);
    // Before what depends on it is held against it.
    for query in ["?force=true", "?force=1&reason=", "?force=T&reason=%20"] {
        let problem = check_problem(&edge.world.delete(&format!("{AGENT_PATH}{query}")).await, 400);
        assert_eq!(problem["errors"][0]["pointer"], "/reason");
    }
    let nul = check_problem(&edge.world.delete(&format!("{AGENT_PATH}?reason=%00")).await, 400);
    assert_eq!(nul["errors"][0]["code"], "bad_character");
    // What is no truth value is none.
    for query in ["?force=yes", "?force=2", "?force=", "?force=false"] {
        assert_eq!(
            edge.world.delete(&format!("{AGENT_PATH}{query}")).await.expect(409)["error"],
            "blocked_by_dependencies"
        );
    }
    for key in [OPERATOR, VIEWER, AUDITOR, AGENT, edge.credential.as_str()] {
        let refused = edge.world.call(Method::DELETE, FORCED, key, None).await;
        assert_eq!(refused.problem(403), "forbidden");
    }
    assert_eq!(edge.world.call(Method::DELETE, FORCED, "", None).await.problem(401), "unauthenticated");
    let patch = edge.world.call(Method::PATCH, AGENT_PATH, ADMIN, None).await;
    assert_eq!((patch.header("allow"), patch.status.as_u16()), ("GET,HEAD,DELETE", 405));
    assert!(edge.world.get(AGENT_PATH).await.expect(200).get("retired_at").is_none());
}

#[tokio::test]
async fn retired_agents_are_a_list_of_their_own() {
    let world = World::new().await;
    for id in ["edge-1", "edge-2", "edge-3"] {
        world.agent(id).await;
    }
    let live = names(&world, "/api/v1/agents").await.len();
    assert_eq!(names(&world, "/api/v1/agents/retired").await, [""; 0]);
    for id in ["edge-2", "edge-1"] {
        world.fakes.clock.advance(std::time::Duration::from_secs(1));
        world.delete(&format!("/api/v1/agents/{id}?reason=gone")).await.expect(200);
    }
    assert_eq!(names(&world, "/api/v1/agents/retired").await, ["edge-1", "edge-2"]);
    assert_eq!(names(&world, "/api/v1/agents").await.len(), live - 2);
    assert!(!names(&world, "/api/v1/agents?status=Offline").await.contains(&"edge-1".to_owned()));
    let page = world.get("/api/v1/agents/retired?page=0&per_page=0").await.expect(200);
    assert_eq!((&page["page"], &page["per_page"]), (&json!(1), &json!(50)));
    let page = world.get("/api/v1/agents/retired?page=2&per_page=1").await.expect(200);
    assert_eq!((&page["data"][0]["id"], &page["total"]), (&json!("edge-2"), &json!(2)));
    let page = world.get("/api/v1/agents/retired?page_size=1").await.expect(200);
    let next = format!("/api/v1/agents/retired?page_size=1&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(world.get(&next).await.expect(200)["data"][0]["id"], "edge-2");
    world.call(Method::GET, "/api/v1/agents/retired", VIEWER, None).await.expect(200);
    // So no agent may be called that.
    let agent = json!({ "id": "retired", "name": "r", "hostname": "h" });
    world.post("/api/v1/agents", agent).await.problem(400);
}

#[tokio::test]
async fn a_retired_agent_is_told_to_stop() {
    let edge = Edge::new().await;
    let job = edge.deployment().await["id"].as_str().unwrap().to_owned();
    edge.world.delete(FORCED).await.expect(200);
    let print = "0".repeat(64);
    let seen = json!({
        "target_id": "tgt-1", "expected_fingerprint": print, "actual_fingerprint": print, "verified": true, "error": "",
    });
    let verify = format!("/api/v1/jobs/{job}/verify");
    for answer in [
        edge.post("/heartbeat", json!({})).await,
        edge.get("/work").await,
        edge.get("/work?wait=50").await,
        edge.get("/certificates/mc-1").await,
        edge.post("/csr", json!({ "csr_pem": csr("mc-1", 1).await, "certificate_id": "mc-1" })).await,
        edge.post(&format!("/jobs/{job}/status"), json!({ "status": "Failed" })).await,
        edge.world.call(Method::POST, &verify, &edge.credential, Some(seen)).await,
        // A key in its name is worth no more than its credential, and an administrator hears the same.
        edge.world.call(Method::GET, "/api/v1/agents/edge-1/work", AGENT, None).await,
        edge.world.call(Method::GET, "/api/v1/agents/edge-1/work", ADMIN, None).await,
    ] {
        assert_eq!(answer.problem(410), "agent_retired");
    }
}

#[tokio::test]
async fn a_held_request_ends_with_the_agent() {
    let edge = Edge::new().await;
    let job = edge.deployment().await["id"].as_str().unwrap().to_owned();
    edge.post(&format!("/jobs/{job}/status"), json!({ "status": "Completed" })).await.expect(200);
    let retire = async {
        tokio::task::yield_now().await;
        edge.world.delete(FORCED).await.expect(200)
    };
    let (work, retired) = tokio::join!(edge.get("/work?wait=50"), retire);
    assert_eq!(work.problem(410), "agent_retired");
    assert_eq!(retired["counts"]["active_certificates"], 1);
}

#[tokio::test]
async fn nothing_new_is_given_to_a_retired_agent() {
    let edge = Edge::new().await;
    edge.world.delete(FORCED).await.expect(200);
    let config = crate::world::target_config();
    let target = json!({ "name": "t", "type": "NGINX", "agent_id": "edge-1", "config": config });
    let problem = check_problem(&edge.world.post("/api/v1/targets", target).await, 400);
    assert_eq!(problem["errors"][0]["code"], "agent_retired");
    for more in [json!({ "agent_id": "edge-1" }), json!({ "target_ids": ["tgt-1"] })] {
        let request = crate::world::certificate("mc-2", more);
        edge.world.post("/api/v1/certificates", request).await.problem(400);
    }
    let change = |more: Value| edge.world.put("/api/v1/targets/tgt-1", more);
    assert_eq!(change(json!({ "enabled": true })).await.problem(409), "target_retired");
}
