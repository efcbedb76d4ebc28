//! Revoking over HTTP: who may, what is refused, and many at once.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use certctl_core::domain::{
    Certificate, Chain, Fingerprint, Lifecycle, Revocation, RevocationReason, Serial, Version, VersionId,
};
use certctl_core::pki::chain;
use certctl_core::storage::{Changes, Query, View};
use certctl_http::wire::RevokeCertificate;
use serde_json::{Value, json};

use crate::client::{InProcess, client};
use crate::world::{ADMIN, AGENT, AUDITOR, Answer, OPERATOR, VIEWER, World, csr};

const BULK: &str = "/api/v1/certificates/bulk-revoke";

fn path(id: &str, verb: &str) -> String {
    format!("/api/v1/certificates/{id}/{verb}")
}

impl World {
    /// Makes a certificate and has it issued.
    pub(crate) async fn issued(&self, id: &str, seed: u64) {
        self.certificate(id, json!({})).await;
        self.post(&path(id, "csr"), json!({ "csr_pem": csr(id, seed).await })).await.expect(202);
    }

    pub(crate) async fn revoke(&self, id: &str, body: Value) -> Answer {
        self.call(Method::POST, &path(id, "revoke"), OPERATOR, Some(body)).await
    }

    async fn revoked(&self) -> Vec<Revocation> {
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        let rows = view.list(Query::<Revocation>::all().limit(10_000)).await.unwrap().records;
        rows.into_iter().map(certctl_core::entity::Record::into_entity).collect()
    }

    async fn read(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/certificates/{id}")).await.expect(200)
    }
}

#[tokio::test]
async fn every_reason_is_taken_once() {
    let world = World::new().await;
    for (seed, reason) in RevocationReason::ALL.iter().enumerate() {
        let id = format!("mc-{seed}");
        world.issued(&id, seed as u64 + 1).await;
        let answer = world.revoke(&id, json!({ "reason": reason })).await.expect(200);
        assert_eq!(answer, json!({ "status": "revoked" }));
        let stored = world.read(&id).await;
        assert_eq!((&stored["status"], &stored["revocation_reason"]), (&json!("Revoked"), &json!(reason)));
        assert!(stored["revoked_at"].is_string());
        let again = world.revoke(&id, json!({ "reason": reason })).await;
        assert_eq!(again.problem(409), "already_revoked");
    }
    let rows = world.revoked().await;
    assert_eq!(rows.len(), RevocationReason::ALL.len());
    let summary = world.get("/api/v1/stats/summary").await.expect(200);
    assert_eq!(summary["revoked_certificates"], 8);
}

#[tokio::test]
async fn nobody_need_say_why() {
    let world = World::new().await;
    for (seed, body) in
        [None, Some(json!({})), Some(json!({ "reason": "" })), Some(json!({ "reason": null }))].into_iter().enumerate()
    {
        let id = format!("mc-{seed}");
        world.issued(&id, seed as u64 + 1).await;
        world.call(Method::POST, &path(&id, "revoke"), OPERATOR, body).await.expect(200);
        assert_eq!(world.read(&id).await["revocation_reason"], "unspecified");
    }
}

#[tokio::test]
async fn what_cannot_be_revoked_is_left_as_it_is() {
    let world = World::new().await;
    world.issued("good", 1).await;
    world.issued("archived", 2).await;
    world.delete("/api/v1/certificates/archived").await.expect(204);
    world.certificate("new", json!({})).await;
    let before = world.everything().await;
    for bad in ["removeFromCRL", "KeyCompromise", "9"] {
        let problem = world.revoke("good", json!({ "reason": bad })).await.expect(400);
        assert_eq!(problem["errors"][0]["pointer"], "/reason", "{problem}");
    }
    world.revoke("good", json!({ "reason": 1 })).await.expect(400);
    world.revoke("good", json!(["keyCompromise"])).await.expect(400);
    assert!(world.revoke("archived", json!({})).await.expect(400)["detail"].as_str().unwrap().contains("archived"));
    assert_eq!(world.revoke("new", json!({})).await.problem(404), "never_issued");
    assert_eq!(world.revoke("none", json!({})).await.problem(404), "not_found");
    assert_eq!(world.post(&path("good", "release"), json!({})).await.problem(409), "not_on_hold");
    assert_eq!(world.post(&path("none", "release"), json!({})).await.problem(404), "not_found");
    let held = json!({ "reason": "certificateHold" });
    for key in [VIEWER, AUDITOR, AGENT] {
        world.call(Method::POST, &path("good", "revoke"), key, Some(held.clone())).await.problem(403);
    }
    for key in [OPERATOR, VIEWER, AUDITOR, AGENT] {
        world.call(Method::POST, &path("good", "release"), key, None).await.problem(403);
    }
    world.is_as_before(&before).await;
    assert_eq!(world.read("good").await["status"], "Active");
}

#[tokio::test]
async fn a_hold_ends_by_release_and_the_client_does_both() {
    let world = World::new().await;
    world.issued("mc-a", 1).await;
    let http = Arc::new(InProcess(world));
    let (id, operator, admin) = ("mc-a".parse().unwrap(), client(&http, OPERATOR), client(&http, ADMIN));
    let hold = RevokeCertificate { reason: Some(RevocationReason::CertificateHold) };
    assert_eq!(operator.revoke_certificate(&id, &hold).await.unwrap().status, "revoked");
    assert_eq!(operator.release_certificate(&id).await.unwrap_err().status(), Some(403));
    assert_eq!(admin.release_certificate(&id).await.unwrap().status, "released");
    let certificate = admin.certificate(&id).await.unwrap();
    assert_eq!((certificate.status.name(), certificate.revoked_at), ("Active", None));
    assert!(http.0.revoked().await.is_empty());
    // It is as it was: it may be revoked for good.
    operator.revoke_certificate(&id, &RevokeCertificate::default()).await.unwrap();
    assert_eq!(admin.release_certificate(&id).await.unwrap_err().status(), Some(409));
}

#[tokio::test]
async fn the_same_named_call_revokes_once() {
    let world = World::new().await;
    world.issued("mc-a", 1).await;
    let ask = async || {
        let request = Request::post(path("mc-a", "revoke")).header("authorization", format!("Bearer {OPERATOR}"));
        let request = request.header("idempotency-key", "r-1");
        world.send(request.body(Body::from(json!({ "reason": "superseded" }).to_string())).unwrap()).await
    };
    let (first, again) = (ask().await, ask().await);
    assert_eq!((first.status.as_u16(), &first.text), (200, &again.text));
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(world.told("certificate_revoked").await, 1);
    assert_eq!(world.revoked().await.len(), 1);
}

#[tokio::test]
async fn deployments_under_way_are_called_off() {
    let world = World::new().await;
    world.agent("edge-1").await;
    world.target("tgt-1", "edge-1").await;
    world.certificate("mc-a", json!({ "target_ids": ["tgt-1"] })).await;
    let request = json!({ "csr_pem": csr("mc-a", 1).await, "certificate_id": "mc-a" });
    world.call(Method::POST, "/api/v1/agents/edge-1/csr", AGENT, Some(request)).await.expect(202);
    let work = world.call(Method::GET, "/api/v1/agents/edge-1/work", AGENT, None).await.expect(200);
    let job = work["jobs"][0]["id"].as_str().unwrap().to_owned();
    world.revoke("mc-a", json!({ "reason": "keyCompromise" })).await.expect(200);
    assert_eq!(world.get(&format!("/api/v1/jobs/{job}")).await.expect(200)["status"], "Cancelled");
    let report = json!({ "status": "Completed" });
    let late = world.call(Method::POST, &format!("/api/v1/agents/edge-1/jobs/{job}/status"), AGENT, Some(report)).await;
    assert_eq!(late.status.as_u16(), 409, "{}", late.text);
    assert_eq!(world.read("mc-a").await["status"], "Revoked");
    let work = world.call(Method::GET, "/api/v1/agents/edge-1/work", AGENT, None).await.expect(200);
    assert_eq!(work["jobs"], json!([]));
    assert_eq!(world.post(&path("mc-a", "deploy"), json!({})).await.status.as_u16(), 409);
    let request = json!({ "csr_pem": csr("mc-a", 2).await });
    assert_eq!(world.post(&path("mc-a", "csr"), request).await.status.as_u16() / 100, 4);
}

/// As many certificates as there are numbers, each as if it had been issued as `mc-0` was.
async fn as_issued(world: &World, numbers: std::ops::Range<u32>) {
    let view = world.engine.storage().read(View::Latest).await.unwrap();
    let version = view.list(Query::<Version>::all()).await.unwrap().records.remove(0).into_entity();
    let first = view.get::<Certificate>("mc-0").await.unwrap().unwrap().into_entity();
    drop(view);
    let mut changes = Changes::bookkeeping();
    for number in numbers {
        let id = format!("mc-{number}");
        let version_id: VersionId = format!("cv-{number}").parse().unwrap();
        changes.insert(Certificate {
            id: id.parse().unwrap(),
            name: id.clone(),
            newest_version_id: Some(version_id.clone()),
            ..first.clone()
        });
        changes.insert(Version {
            id: version_id,
            certificate_id: id.parse().unwrap(),
            serial_number: Serial::from_magnitude(&(number + 1).to_be_bytes()).unwrap(),
            fingerprint_sha256: Fingerprint::of(&number.to_be_bytes()),
            ..version.clone()
        });
    }
    world.engine.storage().apply(changes).await.unwrap();
}

#[tokio::test]
async fn one_call_revokes_all_of_them() {
    let world = World::new().await;
    world.issued("mc-0", 1).await;
    as_issued(&world, 1..1_200).await;
    world.issued("other", 2).await;
    world.certificate("never", json!({})).await;
    world.revoke("mc-3", json!({})).await.expect(200);
    world.revoke("mc-4", json!({ "reason": "certificateHold" })).await.expect(200);
    let mut body = json!({ "issuer_id": "iss-local", "reason": "caCompromise", "dry_run": true });
    let before = world.everything().await;
    let preview = world.post(BULK, body.clone()).await.expect(200);
    world.is_as_before(&before).await;
    body["dry_run"] = json!(false);
    let done = world.post(BULK, body.clone()).await.expect(200);
    let mut foretold = preview;
    foretold["dry_run"] = json!(false);
    assert_eq!(foretold, done);
    assert_eq!((&done["total_matched"], &done["total_revoked"]), (&json!(1_202), &json!(1_200)));
    assert_eq!(done["skipped"], json!([{ "certificate_id": "mc-3", "reason": "revoked" }]));
    assert_eq!(done["errors"].as_array().unwrap().len(), 1);
    assert_eq!(done["errors"][0]["certificate_id"], "never");
    assert!(done["errors"][0]["error"].as_str().unwrap().contains("never issued"));
    let rows = world.revoked().await;
    assert_eq!(rows.len(), 1_201);
    let ca = rows.iter().filter(|row| row.reason == RevocationReason::CaCompromise).count();
    assert_eq!(ca, 1_200, "the one on hold is revoked for good, the one that was so stays");
    assert_eq!(world.told("certificate_revoked").await, 1_202);
    assert_eq!(world.told("bulk_revocation_initiated").await, 1);
    let view = world.engine.storage().read(View::Latest).await.unwrap();
    let of = Query::<Certificate>::all().filter(Certificate::FIELDS.lifecycle.equals(Lifecycle::Revoked));
    assert_eq!(view.total(&of).await.unwrap(), 1_201);
    drop(view);
    let again = world.post(BULK, body).await.expect(200);
    assert_eq!((&again["total_revoked"], &again["total_skipped"]), (&json!(0), &json!(1_201)));
}

/// A certificate that this issuer made, and that the local one renews from now on.
async fn moved(world: &World, id: &str, issuer: &str, seed: u64) {
    world.certificate(id, json!({ "issuer_id": issuer })).await;
    world.post(&path(id, "csr"), json!({ "csr_pem": csr(id, seed).await })).await.expect(202);
    world.put(&format!("/api/v1/certificates/{id}"), json!({ "issuer_id": "iss-local" })).await.expect(200);
}

#[tokio::test]
async fn what_an_issuer_made_is_revoked_with_it_whoever_renews_it_now() {
    let world = World::new().await;
    let spare = json!({ "id": "iss-spare", "name": "spare", "type": "GenericCA", "config": {} });
    world.post("/api/v1/issuers", spare).await.expect(201);
    world.certificate("own", json!({ "issuer_id": "iss-spare" })).await;
    world.post(&path("own", "csr"), json!({ "csr_pem": csr("own", 1).await })).await.expect(202);
    moved(&world, "moved", "iss-spare", 2).await;
    moved(&world, "renewed", "iss-spare", 3).await;
    world.post(&path("renewed", "csr"), json!({ "csr_pem": csr("renewed", 4).await })).await.expect(202);
    world.issued("other", 5).await;
    let mut body = json!({ "issuer_id": "iss-spare", "reason": "certificateHold", "dry_run": true });
    let hold = world.post(BULK, body.clone()).await.expect(200);
    assert_eq!((&hold["total_matched"], &hold["total_revoked"]), (&json!(3), &json!(2)));
    assert_eq!(hold["skipped"], json!([{ "certificate_id": "renewed", "reason": "unchanged" }]));
    body["reason"] = json!("caCompromise");
    let mut foretold = world.post(BULK, body.clone()).await.expect(200);
    body["dry_run"] = json!(false);
    foretold["dry_run"] = json!(false);
    let done = world.post(BULK, body.clone()).await.expect(200);
    assert_eq!(foretold, done);
    assert_eq!((&done["total_matched"], &done["total_revoked"]), (&json!(3), &json!(3)));
    for (id, status) in [("own", "Revoked"), ("moved", "Revoked"), ("renewed", "Active"), ("other", "Active")] {
        assert_eq!(world.read(id).await["status"], status, "{id}");
    }
    let rows = world.revoked().await;
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.issuer_id.as_str() == "iss-spare"), "{rows:?}");
    // What is revoked for good stays so, for that reason, whatever becomes of the certificate.
    world.revoke("renewed", json!({ "reason": "certificateHold" })).await.expect(200);
    let released = world.call(Method::POST, &path("renewed", "release"), ADMIN, None).await;
    released.expect(200);
    assert_eq!(world.read("renewed").await["status"], "Active");
    assert_eq!(world.revoked().await, rows);
    world.revoke("renewed", json!({ "reason": "superseded" })).await.expect(200);
    let reasons: Vec<_> = world.revoked().await.iter().map(|row| row.reason.name()).collect();
    assert_eq!(reasons.iter().filter(|reason| **reason == "caCompromise").count(), 3, "{reasons:?}");
    let again = world.post(BULK, body).await.expect(200);
    assert_eq!((&again["total_revoked"], &again["total_skipped"]), (&json!(0), &json!(3)));
}

#[tokio::test]
async fn a_certificate_is_revoked_of_which_a_key_holder_still_serves_what_the_issuer_made() {
    let world = World::new().await;
    let spare = json!({ "id": "iss-spare", "name": "spare", "type": "GenericCA", "config": {} });
    world.post("/api/v1/issuers", spare).await.expect(201);
    let mut credentials = Vec::new();
    for (agent, target) in [("edge-1", "tgt-1"), ("edge-2", "tgt-2")] {
        credentials.push(world.agent(agent).await);
        world.target(target, agent).await;
    }
    let targets = json!({ "issuer_id": "iss-spare", "target_ids": ["tgt-1", "tgt-2"] });
    world.certificate("both", targets).await;
    for (number, issuer) in [(1, "iss-spare"), (2, "iss-local")] {
        world.put("/api/v1/certificates/both", json!({ "issuer_id": issuer })).await.expect(200);
        let request = json!({ "csr_pem": csr("both", number).await, "certificate_id": "both" });
        let place = usize::try_from(number - 1).unwrap();
        let submit = format!("/api/v1/agents/edge-{number}/csr");
        world.call(Method::POST, &submit, &credentials[place], Some(request)).await.expect(202);
    }
    let body = json!({ "issuer_id": "iss-spare", "reason": "caCompromise" });
    assert_eq!(world.post(BULK, body).await.expect(200)["total_revoked"], 1);
    assert_eq!(world.read("both").await["status"], "Revoked");
    assert_eq!(world.revoked().await.len(), 2);
}

#[tokio::test]
async fn a_certificate_is_revoked_whose_newest_version_has_a_key_that_an_older_one_shows_to_be_compromised() {
    let world = World::new().await;
    let spare = json!({ "id": "iss-spare", "name": "spare", "type": "GenericCA", "config": {} });
    world.post("/api/v1/issuers", spare).await.expect(201);
    moved(&world, "same", "iss-spare", 1).await;
    world.post(&path("same", "csr"), json!({ "csr_pem": csr("same", 1).await })).await.expect(202);
    moved(&world, "other", "iss-spare", 2).await;
    world.post(&path("other", "csr"), json!({ "csr_pem": csr("other", 3).await })).await.expect(202);
    let body = json!({ "issuer_id": "iss-spare", "reason": "keyCompromise", "certificate_ids": ["same", "other"] });
    assert_eq!(world.post(BULK, body).await.expect(200)["total_revoked"], 2);
    for (id, status) in [("same", "Revoked"), ("other", "Active")] {
        assert_eq!(world.read(id).await["status"], status, "{id}");
    }
    assert_eq!(world.revoked().await.len(), 3);
}

#[tokio::test]
async fn an_issuer_of_which_something_is_valid_is_not_deleted_and_its_ca_does_not_come_back() {
    let world = World::new().await;
    let spare = json!({ "id": "iss-spare", "name": "spare", "type": "GenericCA", "config": {} });
    world.post("/api/v1/issuers", spare.clone()).await.expect(201);
    moved(&world, "moved", "iss-spare", 1).await;
    let refused = world.delete("/api/v1/issuers/iss-spare").await.expect(409);
    assert_eq!(refused["code"], "in_use");
    assert!(refused["detail"].as_str().unwrap().contains("is valid until"), "{refused}");
    let ca = "/.well-known/pki/ca/iss-spare";
    let before = world.fetch(ca).await;
    assert_eq!(before.status.as_u16(), 200, "{}", before.text);
    world.fakes.clock.advance(Duration::from_secs(366 * 86_400));
    world.delete("/api/v1/issuers/iss-spare").await.expect(204);
    world.post("/api/v1/issuers", spare).await.expect(201);
    world.certificate("after", json!({ "issuer_id": "iss-spare" })).await;
    world.post(&path("after", "csr"), json!({ "csr_pem": csr("after", 2).await })).await.expect(202);
    // What was known of CAs is half a second old at most.
    world.fakes.clock.advance(Duration::from_secs(1));
    let after = world.fetch(ca).await;
    assert_eq!(after.status.as_u16(), 200, "{}", after.text);
    assert_ne!(before.octets, after.octets);
    let versions = world.get(&path("after", "versions")).await.expect(200);
    let chain = Chain::from_pem(versions["data"][0]["pem_chain"].as_str().unwrap()).unwrap();
    assert_eq!(chain::signer_of(&chain), chain::key_of(&after.octets));
}

#[tokio::test]
async fn all_conditions_must_hold_and_a_reason_is_given() {
    let world = World::new().await;
    for (seed, id) in ["a", "b", "c"].iter().enumerate() {
        world.issued(id, seed as u64 + 1).await;
    }
    world.post("/api/v1/teams", json!({ "id": "t-2", "name": "two" })).await.expect(201);
    world.put("/api/v1/certificates/a", json!({ "team_id": "t-2" })).await.expect(200);
    let before = world.everything().await;
    let wrong = [
        (json!({ "certificate_ids": ["a"] }), "/reason", "required"),
        (json!({ "certificate_ids": ["a"], "reason": "because" }), "/reason", "invalid_value"),
        (json!({ "certificate_ids": ["a"], "reason": "" }), "/reason", "invalid_value"),
        (json!({ "reason": "superseded" }), "", "no_criterion"),
        (json!({ "reason": "superseded", "certificate_ids": [], "team_id": "" }), "", "no_criterion"),
        (json!({ "reason": "superseded", "team_id": "a b" }), "/team_id", "invalid_value"),
    ];
    for (body, pointer, code) in wrong {
        let problem = world.post(BULK, body).await.expect(400);
        assert_eq!((&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]), (&json!(pointer), &json!(code)));
    }
    // Who may not is told so before anything of the body is looked at.
    for key in [OPERATOR, VIEWER, AUDITOR, AGENT] {
        for body in ["", "{", "[]", r#"{"reason":"superseded","team_id":"t-2"}"#] {
            let request = Request::post(BULK).header("authorization", format!("Bearer {key}"));
            world.send(request.body(Body::from(body)).unwrap()).await.problem(403);
        }
    }
    world.is_as_before(&before).await;
    let none = json!({ "reason": "superseded", "team_id": "t-2", "certificate_ids": ["b"] });
    assert_eq!(world.post(BULK, none).await.expect(200)["total_matched"], 0);
    let one = json!({ "reason": "superseded", "team_id": "t-2", "certificate_ids": ["a", "b", "none"] });
    let told = world.post(BULK, one).await.expect(200);
    assert_eq!((&told["certificate_ids"], &told["total_failed"]), (&json!(["a"]), &json!(1)));
    assert_eq!(world.read("b").await["status"], "Active");
}
