//! Certificates: made, issued by request, renewed, changed, put away.

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{OPERATOR, World, certificate, csr};

#[tokio::test]
async fn before_issuance_it_looks_like_this() {
    let world = World::new().await;
    let made = world.certificate("mc-1", json!({ "tags": { "a": "b" } })).await;
    let mut shown = made.clone();
    (shown["created_at"], shown["updated_at"]) = (json!("[time]"), json!("[time]"));
    insta::assert_json_snapshot!(shown, @r#"
    {
      "common_name": "mc-1.example.com",
      "created_at": "[time]",
      "environment": "",
      "expires_at": null,
      "id": "mc-1",
      "issuer_id": "iss-local",
      "name": "mc-1",
      "owner_id": "o-default",
      "renewal_policy_id": "rp-default",
      "sans": [
        "www.mc-1.example.com"
      ],
      "status": "Pending",
      "tags": {
        "a": "b"
      },
      "target_ids": [],
      "team_id": "team-default",
      "updated_at": "[time]"
    }
    "#);
    assert_eq!(world.get("/api/v1/certificates/mc-1").await.expect(200), made);
}

#[tokio::test]
async fn a_request_of_ones_own_is_signed() {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    let request = json!({ "csr_pem": csr("mc-1", 1).await });
    let path = "/api/v1/certificates/mc-1/csr";
    let signed = world.call(Method::POST, path, OPERATOR, Some(request)).await.expect(202);
    assert_eq!(signed["status"], "csr_signed");

    let issued = world.get("/api/v1/certificates/mc-1").await.expect(200);
    assert_eq!(issued["status"], "Active");
    assert!(issued["expires_at"].as_str().unwrap().ends_with('Z'));
    let versions = world.get("/api/v1/certificates/mc-1/versions").await.expect(200);
    let version = &versions["data"][0];
    assert_eq!((&versions["total"], &versions["page"], &versions["per_page"]), (&json!(1), &json!(1), &json!(50)));
    assert_eq!((&issued["serial_number"], &issued["expires_at"]), (&version["serial_number"], &version["not_after"]));
    assert_eq!((&version["key_algorithm"], &version["key_size"]), (&json!("ECDSA"), &json!(256)));
    assert!(version["pem_chain"].as_str().unwrap().matches("BEGIN CERTIFICATE").count() >= 1);
    assert!(version["csr_pem"].as_str().unwrap().contains("BEGIN CERTIFICATE REQUEST"));

    // Nobody holds the key, so nobody can be asked for the next one.
    let renew = world.call(Method::POST, "/api/v1/certificates/mc-1/renew", OPERATOR, None).await;
    assert_eq!(renew.problem(409), "no_key_holder");
}

#[tokio::test]
async fn a_request_that_does_not_fit_is_refused() {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    let path = "/api/v1/certificates/mc-1/csr";
    world.post(path, json!({ "csr_pem": "nonsense" })).await.problem(400);
    world.post(path, json!({ "csr_pem": csr("mc-2", 1).await })).await.problem(400);
    world.post(path, json!({})).await.problem(400);
}

#[tokio::test]
async fn renewing_before_the_first_issuance_answers_its_job() {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    let jobs = world.get("/api/v1/jobs?certificate_id=mc-1").await.expect(200);
    let renewing = world.post("/api/v1/certificates/mc-1/renew", json!({ "force": false })).await.expect(202);
    assert_eq!(renewing["status"], "renewal_triggered");
    assert_eq!(renewing["job_id"], jobs["data"][0]["id"]);
    assert!(renewing["message"].is_string());
}

#[tokio::test]
async fn an_import_is_only_registered() {
    let world = World::new().await;
    for (id, more) in
        [("mc-1", json!({ "status": "Active", "serial_number": "0a" })), ("mc-2", json!({ "issue": false }))]
    {
        world.certificate(id, more).await;
        let jobs = world.get(&format!("/api/v1/jobs?certificate_id={id}")).await.expect(200);
        assert_eq!(jobs["data"], json!([]), "{id}");
    }
}

#[tokio::test]
async fn an_update_merges() {
    let world = World::new().await;
    world.agent("edge-1").await;
    world.target("tgt-1", "edge-1").await;
    let profile = json!({ "certificate_profile_id": "prof-default", "target_ids": ["tgt-1"] });
    let before = world.certificate("mc-1", profile).await;
    let path = "/api/v1/certificates/mc-1";
    assert_eq!(before["target_ids"], json!(["tgt-1"]));

    let after = world.put(path, json!({ "environment": "test", "id": "x", "status": "Active" })).await.expect(200);
    let mut expected = before.clone();
    expected["environment"] = json!("test");
    expected["updated_at"] = after["updated_at"].clone();
    assert_eq!(after, expected);

    // null clears what may be empty and leaves what may not.
    let cleared = json!({ "certificate_profile_id": null, "owner_id": null, "target_ids": [], "agent_id": "edge-1" });
    let after = world.put(path, cleared).await.expect(200);
    assert!(after.get("certificate_profile_id").is_none());
    assert_eq!((&after["owner_id"], &after["target_ids"]), (&json!("o-default"), &json!([])));
    assert_eq!(after["agent_id"], "edge-1");
    assert_eq!(world.get(path).await.expect(200), after);
    assert!(world.put(path, json!({ "agent_id": null })).await.expect(200).get("agent_id").is_none());
    world.put(path, json!({ "agent_id": "edge-none" })).await.problem(400);
    world.put("/api/v1/certificates/none", json!({})).await.problem(404);
}

#[tokio::test]
async fn archiving_calls_its_jobs_off() {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    assert_eq!(world.delete("/api/v1/certificates/mc-1").await.expect(204), Value::Null);
    let jobs = world.get("/api/v1/jobs?certificate_id=mc-1").await.expect(200);
    assert_eq!(jobs["data"][0]["status"], "Cancelled");
    world.post("/api/v1/certificates/mc-1/renew", json!({})).await.problem(400);
    world.put("/api/v1/certificates/mc-1", json!({ "name": "x" })).await.problem(409);
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let world = World::new().await;
    for member in ["name", "common_name", "owner_id", "team_id", "issuer_id", "renewal_policy_id"] {
        let mut request = certificate("mc-1", json!({}));
        request.as_object_mut().unwrap().remove(member);
        let answer = world.post("/api/v1/certificates", request).await;
        assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{member}"));
        answer.problem(400);
    }
    world.post("/api/v1/certificates", certificate("mc-1", json!({ "sans": ["bad name"] }))).await.problem(400);
}

#[tokio::test]
async fn a_job_is_cancelled_once() {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    let jobs = world.get("/api/v1/jobs").await.expect(200);
    let path = format!("/api/v1/jobs/{}", jobs["data"][0]["id"].as_str().unwrap());
    let job = world.get(&path).await.expect(200);
    assert_eq!((&job["type"], &job["status"]), (&json!("Issuance"), &json!("AwaitingCSR")));
    assert_eq!((&job["attempts"], &job["verification_status"]), (&json!(0), &json!("")));
    let cancelled = world.post(&format!("{path}/cancel"), json!({})).await.expect(200);
    assert_eq!(cancelled["status"], "job_cancelled");
    assert_eq!(world.post(&format!("{path}/cancel"), json!({})).await.problem(409), "job_is_closed");
    world.get(&format!("{path}/verification")).await.problem(404);
}
