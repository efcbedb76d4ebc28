//! Approvals: an issuance waits for somebody else, who decides once.

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{ADMIN, AGENT, Answer, OPERATOR, VIEWER, World, certificate, check_problem, csr};

impl World {
    /// A world in which issuances of the profile `prof-careful` wait for approval.
    async fn careful() -> Self {
        let world = Self::new().await;
        let profile = json!({ "id": "prof-careful", "name": "careful", "requires_approval": true });
        assert_eq!(world.post("/api/v1/profiles", profile).await.expect(201)["requires_approval"], true);
        world
    }

    /// Asked for by an operator.
    async fn asked(&self, id: &str, more: Value) -> Value {
        let mut request = certificate(id, json!({ "certificate_profile_id": "prof-careful" }));
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.call(Method::POST, "/api/v1/certificates", OPERATOR, Some(request)).await.expect(201)
    }

    async fn job_of(&self, certificate: &str) -> Value {
        let jobs = self.get(&format!("/api/v1/jobs?certificate_id={certificate}")).await.expect(200);
        jobs["data"][0].clone()
    }

    async fn decide(&self, job: &Value, verb: &str, key: &str, body: Option<Value>) -> Answer {
        let path = format!("/api/v1/jobs/{}/{verb}", job["id"].as_str().unwrap());
        self.call(Method::POST, &path, key, body).await
    }

    async fn send_csr(&self, id: &str, seed: u64, key: &str) -> Answer {
        let request = json!({ "csr_pem": csr(id, seed).await });
        self.call(Method::POST, &format!("/api/v1/certificates/{id}/csr"), key, Some(request)).await
    }

    /// How many things the agent has to do.
    async fn offered(&self) -> Value {
        self.call(Method::GET, "/api/v1/agents/edge-1/work", AGENT, None).await.expect(200)["count"].clone()
    }

    async fn status(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/certificates/{id}")).await.expect(200)["status"].clone()
    }
}

#[tokio::test]
async fn nothing_is_issued_before_somebody_else_approves() {
    let world = World::careful().await;
    world.asked("mc-1", json!({})).await;
    let job = world.job_of("mc-1").await;
    assert_eq!((&job["status"], &job["type"]), (&json!("AwaitingApproval"), &json!("Issuance")));
    let waiting = world.get("/api/v1/jobs?status=AwaitingApproval").await.expect(200);
    assert_eq!((&waiting["total"], &waiting["data"][0]["id"]), (&json!(1), &job["id"]));
    assert_eq!(world.send_csr("mc-1", 1, OPERATOR).await.problem(409), "awaiting_approval");

    // The requester may decide neither way; roles that run nothing may not either.
    for verb in ["approve", "reject"] {
        assert_eq!(world.decide(&job, verb, OPERATOR, None).await.problem(403), "self_approval");
        for key in [VIEWER, AGENT] {
            assert_eq!(world.decide(&job, verb, key, None).await.problem(403), "forbidden");
        }
    }
    let approved = world.decide(&job, "approve", ADMIN, None).await.expect(200);
    assert_eq!(approved["status"], "job_approved");
    assert!(approved["message"].as_str().unwrap().contains(job["id"].as_str().unwrap()));
    assert_eq!(world.job_of("mc-1").await["status"], "AwaitingCSR");
    // It was decided.
    for verb in ["approve", "reject"] {
        assert_eq!(world.decide(&job, verb, ADMIN, None).await.problem(400), "not_awaiting_approval");
    }
    assert_eq!(world.send_csr("mc-1", 1, OPERATOR).await.expect(202)["status"], "csr_signed");
    assert_eq!(world.status("mc-1").await, "Active");
}

#[tokio::test]
async fn a_rejection_ends_the_job_with_its_reason() {
    let world = World::careful().await;
    world.asked("mc-1", json!({})).await;
    let job = world.job_of("mc-1").await;
    let long = json!({ "reason": "x".repeat(1_001) });
    assert_eq!(
        check_problem(&world.decide(&job, "reject", ADMIN, Some(long)).await, 400)["errors"][0]["pointer"],
        "/reason"
    );
    world.decide(&job, "reject", ADMIN, Some(json!({ "reason": 5 }))).await.problem(400);
    assert_eq!(world.job_of("mc-1").await["status"], "AwaitingApproval");
    let rejected = world.decide(&job, "reject", ADMIN, Some(json!({ "reason": "not in this quarter" }))).await;
    assert_eq!(rejected.expect(200)["status"], "job_rejected");
    let ended = world.job_of("mc-1").await;
    assert_eq!(
        (&ended["status"], &ended["last_error"]),
        (&json!("Cancelled"), &json!("rejected: not in this quarter"))
    );
    // Begun again, it waits again; a rejection needs no body.
    world.call(Method::POST, "/api/v1/certificates/mc-1/renew", OPERATOR, None).await.expect(202);
    let again = world.get("/api/v1/jobs?status=AwaitingApproval").await.expect(200)["data"][0].clone();
    world.decide(&again, "reject", ADMIN, None).await.expect(200);
    let path = format!("/api/v1/jobs/{}", again["id"].as_str().unwrap());
    assert!(world.get(&path).await.expect(200)["last_error"].as_str().unwrap().starts_with("rejected: "));
}

#[tokio::test]
async fn a_renewal_that_is_rejected_leaves_the_certificate_as_it_was() {
    let world = World::careful().await;
    world.agent("edge-1").await;
    world.asked("mc-1", json!({ "agent_id": "edge-1" })).await;
    let job = world.job_of("mc-1").await;
    // An agent is offered nothing before.
    assert_eq!(world.offered().await, 0);
    world.decide(&job, "approve", ADMIN, None).await.expect(200);
    assert_eq!(world.offered().await, 1);
    let request = json!({ "certificate_id": "mc-1", "csr_pem": csr("mc-1", 1).await });
    world.call(Method::POST, "/api/v1/agents/edge-1/csr", AGENT, Some(request)).await.expect(202);
    assert_eq!(world.status("mc-1").await, "Active");

    world.call(Method::POST, "/api/v1/certificates/mc-1/renew", OPERATOR, None).await.expect(202);
    assert_eq!(world.status("mc-1").await, "RenewalInProgress");
    let renewal = world.get("/api/v1/jobs?type=Renewal").await.expect(200)["data"][0].clone();
    assert_eq!((&renewal["type"], &renewal["status"]), (&json!("Renewal"), &json!("AwaitingApproval")));
    // What was asked for is what is approved.
    let names = json!({ "sans": ["www.mc-1.example.com", "more.example.com"] });
    assert_eq!(world.put("/api/v1/certificates/mc-1", names.clone()).await.problem(409), "approval_open");
    let profile = json!({ "certificate_profile_id": "" });
    assert_eq!(world.put("/api/v1/certificates/mc-1", profile).await.problem(409), "approval_open");
    world.put("/api/v1/certificates/mc-1", json!({ "environment": "test" })).await.expect(200);
    world.decide(&renewal, "reject", ADMIN, None).await.expect(200);
    assert_eq!(world.status("mc-1").await, "Active");
    world.put("/api/v1/certificates/mc-1", names).await.expect(200);
}

#[tokio::test]
async fn a_request_of_ones_own_waits_with_its_key() {
    let world = World::careful().await;
    world.asked("mc-1", json!({ "issue": false })).await;
    let sent = world.send_csr("mc-1", 1, OPERATOR).await.expect(202);
    assert_eq!(sent["status"], "csr_accepted");
    let job = world.job_of("mc-1").await;
    assert_eq!(job["status"], "AwaitingApproval");
    world.send_csr("mc-1", 1, OPERATOR).await.expect(202);
    assert_eq!(world.send_csr("mc-1", 2, OPERATOR).await.problem(409), "awaiting_approval");
    world.decide(&job, "approve", OPERATOR, None).await.problem(403);
    world.decide(&job, "approve", ADMIN, None).await.expect(200);
    assert_eq!(world.job_of("mc-1").await["status"], "Pending");
}

#[tokio::test]
async fn jobs_that_wait_for_nobody_cannot_be_decided() {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    let job = world.job_of("mc-1").await;
    for verb in ["approve", "reject"] {
        assert_eq!(world.decide(&job, verb, OPERATOR, None).await.problem(400), "not_awaiting_approval");
        world.post(&format!("/api/v1/jobs/none/{verb}"), json!({})).await.problem(404);
    }
}
