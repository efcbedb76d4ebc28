//! The agents' protocol: enrolment, heartbeat, work, requests, pickup, reports, verification.

use axum::http::Method;
use certctl_core::domain::Agent;
use serde_json::{Value, json};

use crate::world::{ADMIN, AGENT, OPERATOR, VIEWER, World, csr};

/// An agent with a target and a certificate on it, by the agent's own credential.
pub(crate) struct Edge {
    pub(crate) world: World,
    pub(crate) credential: String,
}

impl Edge {
    pub(crate) async fn new() -> Self {
        let world = World::new().await;
        let credential = world.agent("edge-1").await;
        world.target("tgt-1", "edge-1").await;
        world.certificate("mc-1", json!({ "target_ids": ["tgt-1"] })).await;
        Self { world, credential }
    }

    pub(crate) async fn get(&self, path: &str) -> crate::world::Answer {
        self.world.call(Method::GET, &format!("/api/v1/agents/edge-1{path}"), &self.credential, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> crate::world::Answer {
        self.world.call(Method::POST, &format!("/api/v1/agents/edge-1{path}"), &self.credential, Some(body)).await
    }

    /// Sends the request that is awaited, and gives the deployment that follows.
    pub(crate) async fn deployment(&self) -> Value {
        let request = json!({ "csr_pem": csr("mc-1", 1).await, "certificate_id": "mc-1" });
        assert_eq!(self.post("/csr", request).await.expect(202)["status"], "csr_signed");
        let work = self.get("/work").await.expect(200);
        assert_eq!(work["count"], 1);
        work["jobs"][0].clone()
    }
}

#[tokio::test]
async fn an_operator_adds_an_agent_and_sees_its_credential_once() {
    let world = World::new().await;
    let request = json!({ "name": "edge-7", "hostname": "edge7.lab.test", "status": "Offline" });
    let made = world.call(Method::POST, "/api/v1/agents", OPERATOR, Some(request.clone())).await.expect(201);
    assert!(made["id"].as_str().unwrap().starts_with("agent-"));
    assert_eq!((&made["status"], &made["os"]), (&json!("Online"), &json!("")));
    assert_eq!(made["credential"], made["api_key"]);
    assert_eq!(made["created_at"], made["registered_at"]);

    let stored = world.get(&format!("/api/v1/agents/{}", made["id"].as_str().unwrap())).await.expect(200);
    assert!(
        stored.get("credential").is_none() && stored.get("api_key").is_none() && stored.get("api_key_hash").is_none()
    );
    assert_eq!(world.post("/api/v1/agents", request.clone()).await.problem(409), "already_exists");
    world.post("/api/v1/agents", json!({ "name": "x" })).await.problem(400);
    assert_eq!(world.call(Method::POST, "/api/v1/agents", VIEWER, Some(request)).await.problem(403), "forbidden");
}

#[tokio::test]
async fn a_token_enrols_one_agent() {
    let world = World::new().await;
    let token = async || {
        let made = world.call(Method::POST, "/api/v1/agents/enrol-tokens", OPERATOR, None).await.expect(201);
        made["token"].as_str().unwrap().to_owned()
    };
    let agent = |name: &str| json!({ "name": name, "hostname": "h" });
    let bearer = token().await;
    let made = world.call(Method::POST, "/api/v1/agents", &bearer, Some(agent("a"))).await.expect(201);
    let again = world.call(Method::POST, "/api/v1/agents", &bearer, Some(agent("b"))).await;
    assert_eq!(again.problem(401), "bad_enrol_token");

    let mut with_token = agent("c");
    with_token["enrol_token"] = json!(token().await);
    world.call(Method::POST, "/api/v1/agents", "", Some(with_token)).await.expect(201);

    let path = format!("/api/v1/agents/{}/heartbeat", made["id"].as_str().unwrap());
    let credential = made["credential"].as_str().unwrap();
    world.call(Method::POST, &path, credential, None).await.expect(200);
    let bound =
        world.post("/api/v1/agents/enrol-tokens", json!({ "agent_id": "edge-9", "expires_in": 60 })).await.expect(201);
    let bound = bound["token"].as_str().unwrap();
    assert_eq!(world.call(Method::POST, "/api/v1/agents", bound, Some(agent("d"))).await.expect(201)["id"], "edge-9");
    world.post("/api/v1/agents/enrol-tokens", json!({ "expires_in": 1 })).await.problem(400);
}

#[tokio::test]
async fn a_heartbeat_is_recorded_exactly_so() {
    let edge = Edge::new().await;
    edge.world.fakes.clock.advance(Agent::HEARTBEAT * 4);
    assert_eq!(edge.world.get("/api/v1/agents/edge-1").await.expect(200)["status"], "Offline");
    let report =
        json!({ "version": "1.0.0", "hostname": "", "os": "linux", "architecture": null, "target_types": ["NGINX"] });
    assert_eq!(edge.post("/heartbeat", report).await.expect(200), json!({ "status": "heartbeat_recorded" }));
    let agent = edge.world.get("/api/v1/agents/edge-1").await.expect(200);
    assert_eq!(
        (&agent["status"], &agent["version"], &agent["hostname"]),
        (&json!("Online"), &json!("1.0.0"), &json!("host"))
    );
    assert_eq!(agent["target_types"], json!(["NGINX"]));
    let online = edge.world.get("/api/v1/agents?status=Offline").await.expect(200);
    assert_eq!(online["data"], json!([]));
}

#[tokio::test]
async fn work_is_requested_deployed_and_verified() {
    let edge = Edge::new().await;
    let work = edge.get("/work").await.expect(200);
    assert_eq!(work["count"], 1);
    let awaited = &work["jobs"][0];
    assert_eq!((&awaited["type"], &awaited["status"]), (&json!("Issuance"), &json!("AwaitingCSR")));
    assert_eq!(awaited["common_name"], "mc-1.example.com");
    assert_eq!((&awaited["key_algorithm"], &awaited["key_size"]), (&json!("ECDSA"), &json!(256)));
    assert!(awaited["sans"].as_array().unwrap().contains(&json!("www.mc-1.example.com")));

    let deployment = edge.deployment().await;
    assert_eq!((&deployment["type"], &deployment["status"]), (&json!("Deployment"), &json!("Running")));
    assert_eq!((&deployment["target_id"], &deployment["target_type"]), (&json!("tgt-1"), &json!("NGINX")));
    assert_eq!(deployment["target_config"]["cert_path"], "/etc/nginx/tls/cert.pem");
    assert!(deployment.get("sans").is_none());

    let picked = edge.get("/certificates/mc-1").await.expect(200);
    assert!(picked["certificate_pem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));

    let job = deployment["id"].as_str().unwrap();
    let status = format!("/jobs/{job}/status");
    assert_eq!(edge.post(&status, json!({ "status": "Running" })).await.expect(200), json!({ "status": "updated" }));
    edge.post(&status, json!({ "status": "Sleeping" })).await.problem(400);

    let pending = edge.world.get(&format!("/api/v1/jobs/{job}/verification")).await.expect(200);
    assert_eq!((&pending["status"], &pending["verified"]), (&json!("pending"), &json!(false)));
    let print = deployment["expected_fingerprint"].as_str().unwrap();
    let seen = json!({
        "target_id": "tgt-1", "expected_fingerprint": print, "actual_fingerprint": print, "verified": true, "error": "",
    });
    let verify = format!("/api/v1/jobs/{job}/verify");
    let recorded = edge.world.call(Method::POST, &verify, &edge.credential, Some(seen)).await.expect(200);
    assert_eq!((&recorded["job_id"], &recorded["verified"]), (&json!(job), &json!(true)));

    assert_eq!(edge.post(&status, json!({ "status": "Completed" })).await.expect(200), json!({ "status": "updated" }));
    let result = edge.world.get(&format!("/api/v1/jobs/{job}/verification")).await.expect(200);
    assert_eq!((&result["status"], &result["actual_fingerprint"]), (&json!("success"), &json!(print)));
    assert_eq!(result["verified_at"], recorded["verified_at"]);
    let stored = edge.world.get(&format!("/api/v1/jobs/{job}")).await.expect(200);
    assert_eq!((&stored["status"], &stored["verification_status"]), (&json!("Completed"), &json!("success")));
    assert_eq!(edge.get("/work").await.expect(200), json!({ "jobs": [], "count": 0 }));
}

#[tokio::test]
async fn a_probe_that_saw_nothing_is_recorded() {
    let edge = Edge::new().await;
    let deployment = edge.deployment().await;
    let verify = format!("/api/v1/jobs/{}/verify", deployment["id"].as_str().unwrap());
    let post = |body| edge.world.call(Method::POST, &verify, AGENT, Some(body));
    let empty =
        json!({ "target_id": "tgt-1", "expected_fingerprint": "", "actual_fingerprint": "", "verified": false });
    post(empty.clone()).await.problem(400);
    let mut failed = empty;
    failed["error"] = json!("connection refused");
    assert_eq!(post(failed).await.expect(200)["verified"], false);
    let result = edge.world.get(&verify.replace("/verify", "/verification")).await.expect(200);
    assert_eq!((&result["status"], &result["error"]), (&json!("failed"), &json!("connection refused")));
}

#[tokio::test]
async fn an_operator_deploys_again() {
    let edge = Edge::new().await;
    let deploy = "/api/v1/certificates/mc-1/deploy";
    assert_eq!(edge.world.post(deploy, json!({})).await.problem(409), "not_issued");
    let deployment = edge.deployment().await;
    // The open job for the same version is the answer.
    let again = edge.world.call(Method::POST, deploy, OPERATOR, None).await.expect(202);
    assert_eq!((&again["status"], &again["job_ids"]), (&json!("deployment_triggered"), &json!([deployment["id"]])));
    edge.world.post(deploy, json!({ "target_id": "tgt-none" })).await.problem(404);
    let renewing = edge.world.post("/api/v1/certificates/mc-1/renew", json!({})).await.expect(202);
    let job = edge.world.get(&format!("/api/v1/jobs/{}", renewing["job_id"].as_str().unwrap())).await.expect(200);
    assert_eq!(
        (&job["type"], &job["status"], &job["agent_id"]),
        (&json!("Renewal"), &json!("AwaitingCSR"), &json!("edge-1"))
    );
    let again = edge.world.post("/api/v1/certificates/mc-1/renew", json!({})).await;
    assert_eq!(again.problem(409), "renewal_in_progress");
    let targets = edge.world.get("/api/v1/certificates/mc-1/deployments").await.expect(200);
    assert_eq!((&targets["data"][0]["id"], &targets["total"]), (&json!("tgt-1"), &json!(1)));
}

#[tokio::test]
async fn another_agent_sees_nothing_of_it() {
    let edge = Edge::new().await;
    let stranger = edge.world.agent("edge-2").await;
    let deployment = edge.deployment().await;
    let job = deployment["id"].as_str().unwrap();
    let call = async |method, path: String, body| edge.world.call(method, &path, &stranger, body).await;
    let status = json!({ "status": "Completed" });
    let request = json!({ "csr_pem": csr("mc-1", 5).await, "certificate_id": "mc-1" });
    let print = &deployment["expected_fingerprint"];
    let seen =
        json!({ "target_id": "tgt-1", "expected_fingerprint": print, "actual_fingerprint": print, "verified": true });
    // By its own id nothing of the other's is there; by the other's id there is no agent.
    for id in ["edge-1", "edge-2"] {
        let at = |rest: &str| format!("/api/v1/agents/{id}{rest}");
        call(Method::GET, at("/certificates/mc-1"), None).await.problem(404);
        call(Method::POST, at(&format!("/jobs/{job}/status")), Some(status.clone())).await.problem(404);
        call(Method::POST, at("/csr"), Some(request.clone())).await.problem(404);
    }
    call(Method::GET, "/api/v1/agents/edge-1/work".into(), None).await.problem(404);
    call(Method::POST, "/api/v1/agents/edge-1/heartbeat".into(), None).await.problem(404);
    call(Method::POST, format!("/api/v1/jobs/{job}/verify"), Some(seen)).await.problem(404);
    assert_eq!(call(Method::GET, "/api/v1/agents/edge-2/work".into(), None).await.expect(200)["jobs"], json!([]));
    assert_eq!(edge.world.get(&format!("/api/v1/jobs/{job}")).await.expect(200)["status"], "Running");
}

#[tokio::test]
async fn an_administrator_may_act_in_an_agents_place() {
    let edge = Edge::new().await;
    edge.world.get("/api/v1/agents/edge-1/work").await.expect(200);
    edge.world.call(Method::POST, "/api/v1/agents/edge-1/heartbeat", ADMIN, None).await.expect(200);
    edge.world.get("/api/v1/agents/none/work").await.problem(404);
    edge.world.call(Method::GET, "/api/v1/agents/edge-1/work", AGENT, None).await.expect(200);
}

#[tokio::test]
async fn a_held_request_is_answered_when_there_is_work() {
    let edge = Edge::new().await;
    edge.deployment().await;
    let job = edge.get("/work").await.expect(200)["jobs"][0]["id"].as_str().unwrap().to_owned();
    edge.post(&format!("/jobs/{job}/status"), json!({ "status": "Completed" })).await.expect(200);

    let held = edge.get("/work?wait=50");
    let renew = async {
        tokio::task::yield_now().await;
        edge.world.post("/api/v1/certificates/mc-1/renew", json!({})).await.expect(202)
    };
    let (work, renewing) = tokio::join!(held, renew);
    let work = work.expect(200);
    assert_eq!((&work["count"], &work["jobs"][0]["id"]), (&json!(1), &renewing["job_id"]));
    edge.get("/work?wait=soon").await.problem(400);
}

#[tokio::test]
async fn a_second_request_releases_the_first() {
    let edge = Edge::new().await;
    let job = edge.deployment().await["id"].as_str().unwrap().to_owned();
    edge.post(&format!("/jobs/{job}/status"), json!({ "status": "Completed" })).await.expect(200);
    let second = async {
        tokio::task::yield_now().await;
        tokio::join!(edge.get("/work?wait=50"), async {
            tokio::task::yield_now().await;
            edge.world.post("/api/v1/certificates/mc-1/renew", json!({})).await.expect(202)
        })
    };
    let (first, (second, _)) = tokio::join!(edge.get("/work?wait=50"), second);
    assert_eq!(first.expect(200), json!({ "jobs": [], "count": 0 }));
    assert_eq!(second.expect(200)["count"], 1);
}
