//! What those do who run the servers: look at them, let other CAs count, revoke what came through them.

use std::path::Path;
use std::sync::Arc;

use axum::http::Method;
use certctl_core::domain::{Chain, RevocationReason, pem};
use certctl_core::testing::{ManualClock, MemoryFiles, TestAuthority};
use certctl_http::wire::BulkRevoke;
use certctl_http::{EstAccess, EstTrust, Options, TrustBundle};
use serde_json::{Value, json};

use super::{Call, Door, by_password, foreign, named, request};
use crate::client::{InProcess, client};
use crate::world::{ADMIN, AGENT, AUDITOR, OPERATOR, VIEWER, World};

const PROFILES: &str = "/api/v1/admin/est/profiles";
const RELOAD: &str = "/api/v1/admin/est/reload-trust";
const BULK: &str = "/api/v1/est/certificates/bulk-revoke";
const BUNDLE: &str = "/etc/certctl/makers.pem";

/// The CA of [`foreign`] with the same seed.
async fn ca(seed: u64) -> String {
    TestAuthority::new(seed, ManualClock::START).await.root_pem()
}

/// Two servers that share a password and one that trusts what is in a file.
async fn three() -> Door {
    let files = MemoryFiles::new();
    files.insert(BUNDLE, ca(60).await, 0o644);
    let bundle = TrustBundle::read(Path::new(BUNDLE), &files).await.unwrap();
    let mut lost = named("lost", by_password().access);
    lost.terms.issuer_id = "iss-none".parse().unwrap();
    let makers = named("makers", EstAccess::Certificate(EstTrust::Bundle(bundle)));
    let options = Options { est: vec![by_password(), lost, makers], ..Options::default() };
    let world = World::with(options).await;
    world.fakes.files.insert(BUNDLE, ca(60).await, 0o644);
    Door::around(world, |tls| tls).await
}

#[tokio::test]
async fn the_servers_are_listed_with_whom_they_trust_and_what_is_wrong() {
    let door = three().await;
    let told = door.world.get(PROFILES).await.expect(200);
    assert_eq!((&told["total"], told["data"].as_array().unwrap().len()), (&json!(3), 3));
    let of = |name: &str| told["data"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone();
    let default = of("default");
    assert_eq!((&default["path"], &default["access"]), (&json!("/.well-known/est"), &json!("password")));
    assert!(default.get("mtls_path").is_none() && default.get("problem").is_none(), "{default}");
    assert_eq!(default["certificate_profile_id"], "prof-default");
    assert!(of("lost")["problem"].as_str().unwrap().contains("iss-none"));
    let makers = of("makers");
    assert_eq!((&makers["path"], &makers["access"]), (&json!("/.well-known/est/makers"), &json!("certificate")));
    assert_eq!(
        (&makers["mtls_path"], &makers["trust_bundle_path"]),
        (&json!("/.well-known/est-mtls/makers"), &json!(BUNDLE))
    );
    let root = Chain::from_pem(&ca(60).await).unwrap().fingerprint();
    let trusted = &makers["trusted_authorities"][0];
    assert_eq!((&trusted["fingerprint_sha256"], &trusted["valid"]), (&json!(root), &json!(true)));
    assert!(!told.to_string().contains(super::PASSWORD), "passwords are nobody's to see");
    for key in [OPERATOR, VIEWER, AUDITOR, AGENT] {
        door.world.call(Method::GET, PROFILES, key, None).await.problem(403);
        door.world.call(Method::POST, RELOAD, key, None).await.problem(403);
        door.world.call(Method::POST, BULK, key, None).await.problem(403);
    }
    let http = Arc::new(InProcess(door.world.clone()));
    assert_eq!(client(&http, ADMIN).est_profiles().await.unwrap().data.len(), 3);
}

#[tokio::test]
async fn other_cas_count_when_the_files_are_read_anew() {
    let door = three().await;
    let (old, _) = foreign(60, &["old.example.com"]).await;
    let (new, _) = foreign(61, &["new.example.com"]).await;
    let enrols = async |machine, name: &str, seed| {
        let (_, csr) = request(seed, &[name]).await;
        let body = csr.to_pem();
        let call = Call::post("/.well-known/est/makers/simpleenroll", body.as_bytes()).machine(machine);
        door.send(call).await.status
    };
    assert_eq!((enrols(&old, "a.example.com", 1).await, enrols(&new, "b.example.com", 2).await), (200, 403));
    let events = async || door.world.told("enrolment_trust_reloaded").await;
    // Nothing has changed, so nothing is recorded.
    let told = door.world.post(RELOAD, Value::Null).await.expect(200);
    assert_eq!((&told["total_matched"], &told["total_unchanged"], events().await), (&json!(1), &json!(1), 0));

    // What is no good changes nothing, and it is said why.
    let leaf = pem::encode("CERTIFICATE", old.chain.leaf());
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned();
    for (bad, why) in [("", "BEGIN"), (leaf.as_str(), "no CA"), (key.as_str(), "PRIVATE KEY"), ("\u{7f}", "")] {
        door.world.fakes.files.insert(BUNDLE, bad, 0o644);
        let told = door.world.post(RELOAD, Value::Null).await.expect(200);
        assert_eq!((&told["total_changed"], &told["total_failed"]), (&json!(0), &json!(1)), "{told}");
        let error = told["profiles"][0]["error"].as_str().unwrap();
        assert!(error.contains(BUNDLE) && error.contains(why), "{error}");
        assert_eq!(told["profiles"][0]["trusted_authorities"].as_array().unwrap().len(), 1, "{told}");
    }
    assert_eq!((enrols(&old, "a.example.com", 3).await, events().await), (200, 0));

    door.world.fakes.files.insert(BUNDLE, ca(61).await, 0o644);
    let told = door.world.post(RELOAD, Value::Null).await.expect(200);
    assert_eq!((&told["total_changed"], &told["profiles"][0]["name"]), (&json!(1), &json!("makers")));
    assert_eq!((enrols(&old, "a.example.com", 4).await, enrols(&new, "b.example.com", 5).await), (403, 200));
    let event = door.world.get("/api/v1/audit?action=enrolment_trust_reloaded").await.expect(200)["data"][0].clone();
    let print = |pem: &str| json!([Chain::from_pem(pem).unwrap().fingerprint()]);
    assert_eq!((&event["resource_id"], &event["actor_type"]), (&json!("est/makers"), &json!("User")));
    assert_eq!(
        (&event["details"]["removed"], &event["details"]["added"]),
        (&print(&ca(60).await), &print(&ca(61).await))
    );
}

#[tokio::test]
async fn many_that_came_by_est_are_revoked_and_no_others() {
    let door = Door::open(vec![by_password()]).await;
    for seed in 1..=3 {
        door.machine(seed, &[&format!("host-{seed}.example.com")]).await;
    }
    door.world.issued("by-api", 9).await;
    let ask = |dry_run| json!({ "issuer_id": "iss-local", "reason": "superseded", "dry_run": dry_run });
    let before = door.world.everything().await;
    // That they came by EST is not enough.
    let all = door.world.post(BULK, json!({ "reason": "superseded" })).await.expect(400);
    assert_eq!(all["errors"][0]["code"], "no_criterion");
    let mut foretold = door.world.post(BULK, ask(true)).await.expect(200);
    door.world.is_as_before(&before).await;
    let done = door.world.post(BULK, ask(false)).await.expect(200);
    foretold["dry_run"] = json!(false);
    assert_eq!(foretold, done);
    assert_eq!((&done["total_matched"], &done["total_revoked"]), (&json!(3), &json!(3)));
    let read = async |id: &str| door.world.get(&format!("/api/v1/certificates/{id}")).await.expect(200);
    assert_eq!(read("by-api").await["status"], "Active");
    for id in done["certificate_ids"].as_array().unwrap() {
        let revoked = read(id.as_str().unwrap()).await;
        assert_eq!((&revoked["status"], &revoked["source"]), (&json!("Revoked"), &json!("EST")));
    }
    // One that is named and came in another way is none of them.
    let request = BulkRevoke {
        reason: RevocationReason::Superseded,
        profile_id: None,
        owner_id: None,
        agent_id: None,
        issuer_id: None,
        team_id: None,
        certificate_ids: vec!["by-api".parse().unwrap()],
        dry_run: false,
    };
    let http = Arc::new(InProcess(door.world.clone()));
    let told = client(&http, ADMIN).bulk_revoke_est_certificates(&request).await.unwrap();
    assert_eq!((told.total_matched, told.total_revoked), (0, 0));
    let event = door.world.get("/api/v1/audit?action=bulk_revocation_initiated&per_page=100").await.expect(200);
    let events = event["data"].as_array().unwrap();
    assert!(events.iter().all(|event| event["details"]["criteria"]["source"] == "EST"), "{event}");
}
