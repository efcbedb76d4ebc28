//! Certificates that were made elsewhere, from PEM bundles.

use std::time::Duration;

use axum::http::Method;
use certctl_core::domain::{Timestamp, pem};
use certctl_core::testing::{ManualClock, TestAuthority, TestCertificate};
use serde_json::{Value, json};

use crate::world::{AGENT, AUDITOR, OPERATOR, VIEWER, World};

const IMPORT: &str = "/api/v1/certificates/import";
const DAY: Duration = Duration::from_secs(86_400);

fn request(pem: &str, more: Value) -> Value {
    let mut request = json!({
        "pem": pem, "owner_id": "o-default", "team_id": "team-default", "issuer_id": "iss-local",
        "renewal_policy_id": "rp-default",
    });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

async fn import(world: &World, pem: &str, more: Value) -> Value {
    let told = world.call(Method::POST, IMPORT, OPERATOR, Some(request(pem, more))).await.expect(200);
    let sum = ["total_imported", "total_skipped", "total_failed"].map(|name| told[name].as_u64().unwrap());
    assert_eq!(told["total_matched"], sum.iter().sum::<u64>(), "{told}");
    told
}

async fn issued(authority: &TestAuthority, name: &str, end: Timestamp) -> TestCertificate {
    authority.issue(&[name], ManualClock::START - DAY, end).await
}

#[tokio::test]
async fn a_bundle_becomes_certificates_with_their_chains() {
    let (world, now) = (World::new().await, ManualClock::START);
    let (one, two) = (TestAuthority::new(1, now).await, TestAuthority::new(2, now).await);
    let mut blocks = Vec::new();
    for (authority, names) in [(&one, ["a.example", "b.example"]), (&two, ["c.example", "d.example"])] {
        for name in names {
            blocks.extend(issued(authority, name, now + 90 * DAY).await.chain.certificates().to_vec());
        }
        blocks.push(pem::parse(&authority.root_pem(), 1 << 20).unwrap().remove(0).der);
    }
    // In no order, with a text around them and the intermediates several times.
    blocks.sort();
    let bundle: String = blocks.iter().map(|der| pem::encode("CERTIFICATE", der)).collect();
    let bundle = format!("exported by somebody\r\n{bundle}");
    let before = world.everything().await;
    let preview = import(&world, &bundle, json!({ "dry_run": true })).await;
    world.is_as_before(&before).await;
    let done = import(&world, &bundle, json!({})).await;
    assert_eq!((&done["total_imported"], &done["total_authorities"]), (&json!(4), &json!(4)), "{done}");
    assert!(done.get("errors").is_none() && done.get("skipped").is_none());
    for (foretold, made) in
        preview["certificates"].as_array().unwrap().iter().zip(done["certificates"].as_array().unwrap())
    {
        let mut made = made.clone();
        let id = made.as_object_mut().unwrap().remove("certificate_id").unwrap();
        assert_eq!(foretold, &made);
        assert_eq!(made["issuers"], 1, "the intermediate; servers do not send the root");
        let stored = world.get(&format!("/api/v1/certificates/{}", id.as_str().unwrap())).await.expect(200);
        assert_eq!((&stored["status"], &stored["expires_at"]), (&json!("Active"), &made["not_after"]));
        assert_eq!((&stored["name"], &stored["environment"]), (&made["common_name"], &json!("imported")));
        assert_eq!(stored["fingerprint_sha256"], made["fingerprint_sha256"]);
        assert!(stored["renew_at"].is_string() && stored.get("last_renewal_at").is_none(), "{stored}");
        let path = format!("/api/v1/certificates/{}/versions", id.as_str().unwrap());
        let versions = world.get(&path).await.expect(200);
        assert_eq!(versions["data"][0]["pem_chain"].as_str().unwrap().matches("BEGIN").count(), 2);
        assert_eq!(versions["data"][0]["csr_pem"], "");
    }
    assert_eq!(world.get("/api/v1/jobs").await.expect(200)["total"], 0, "nothing is issued");

    // Known by their fingerprints, whatever they are called now.
    let again = import(&world, &bundle, json!({ "name_template": "{cn} {serial}" })).await;
    assert_eq!((&again["total_imported"], &again["total_skipped"]), (&json!(0), &json!(4)));
    assert_eq!(again["skipped"][0]["reason"], "known");
    let known = format!("/api/v1/certificates/{}", again["skipped"][0]["certificate_id"].as_str().unwrap());
    world.get(&known).await.expect(200);
    let events = world.call(Method::GET, "/api/v1/audit?action=certificate_imported", AUDITOR, None).await.expect(200);
    assert_eq!(events["total"], 4);
}

#[tokio::test]
async fn each_block_is_told_of() {
    let (world, now) = (World::new().await, ManualClock::START);
    let authority = TestAuthority::new(1, now).await;
    world.certificate("taken.example", json!({ "issue": false })).await;
    let good = issued(&authority, "good.example", now + 90 * DAY).await.chain.leaf_pem();
    let ended = issued(&authority, "ended.example", now - Duration::from_secs(60)).await.chain.leaf_pem();
    let taken = issued(&authority, "taken.example", now + 90 * DAY).await.chain.leaf_pem();
    let twin = TestAuthority::new(2, now).await;
    let twin = issued(&twin, "good.example", now + 90 * DAY).await.chain.leaf_pem();
    let garbage = pem::encode("CERTIFICATE", &[0x30, 0x03, 1, 2, 3]);
    let list = pem::encode("X509 CRL", b"a list");
    let bundle = [&list, &good, &garbage, &good, &ended, &taken, &twin].map(String::as_str).concat();
    let preview = import(&world, &bundle, json!({ "dry_run": true })).await;
    let done = import(&world, &bundle, json!({})).await;
    for part in ["skipped", "errors", "total_imported", "total_failed"] {
        assert_eq!(preview[part], done[part], "{part}");
    }
    let reasons: Vec<_> =
        done["skipped"].as_array().unwrap().iter().map(|one| (&one["position"], &one["reason"])).collect();
    let expected = [(json!(1), json!("other_block")), (json!(4), json!("duplicate")), (json!(5), json!("expired"))];
    assert_eq!(reasons, expected.iter().map(|(position, reason)| (position, reason)).collect::<Vec<_>>());
    let errors: Vec<_> =
        done["errors"].as_array().unwrap().iter().map(|one| one["position"].as_u64().unwrap()).collect();
    assert_eq!((errors, &done["total_imported"]), (vec![3, 6, 7], &json!(1)), "{done}");
    assert!(done["errors"][1]["error"].as_str().unwrap().contains("named `taken.example` exists"));
    let all = world.get("/api/v1/certificates").await.expect(200);
    assert_eq!(all["total"], 2);
}

#[tokio::test]
async fn a_private_key_refuses_the_whole_and_is_kept_nowhere() {
    let (world, now) = (World::new().await, ManualClock::START);
    let authority = TestAuthority::new(1, now).await;
    let made = issued(&authority, "good.example", now + 90 * DAY).await;
    let key = made.key_pem.expose();
    let before = world.everything().await;
    for bundle in [made.chain.to_pem() + key, key.to_owned(), key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")] {
        for dry_run in [true, false] {
            let body = request(&bundle, json!({ "dry_run": dry_run }));
            let answer = world.call(Method::POST, IMPORT, OPERATOR, Some(body)).await;
            let inner: String = key.lines().nth(1).unwrap().into();
            assert!(!answer.text.contains(&inner), "it is not repeated");
            let problem = answer.expect(400);
            assert_eq!(
                (&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]),
                (&json!("/pem"), &json!("private_key"))
            );
        }
    }
    world.is_as_before(&before).await;
}

#[tokio::test]
async fn what_is_no_bundle_is_refused() {
    let (world, now) = (World::new().await, ManualClock::START);
    let authority = TestAuthority::new(1, now).await;
    let good = issued(&authority, "good.example", now + 90 * DAY).await.chain.leaf_pem();
    let before = world.everything().await;
    let cut = good.get(..good.len() / 2).unwrap();
    for (bundle, code) in [
        ("", "bad_pem"),
        ("nothing", "bad_pem"),
        (cut, "bad_pem"),
        ("-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----", "bad_pem"),
        (&authority.root_pem(), "no_certificate"),
    ] {
        let body = request(bundle, json!({}));
        let problem = world.call(Method::POST, IMPORT, OPERATOR, Some(body)).await.expect(400);
        assert_eq!(problem["errors"][0]["code"], code, "{problem}");
    }
    for (member, value) in [
        ("owner_id", "o-none"),
        ("team_id", "t-none"),
        ("issuer_id", "iss-none"),
        ("renewal_policy_id", "rp-none"),
        ("certificate_profile_id", "prof-none"),
        ("agent_id", "agent-none"),
    ] {
        let body = request(&good, json!({ member: value }));
        let problem = world.call(Method::POST, IMPORT, OPERATOR, Some(body)).await.expect(400);
        assert_eq!(problem["errors"][0]["pointer"], format!("/{member}"), "{problem}");
    }
    let long = request(&"x".repeat(1 << 20), json!({}));
    assert_eq!(world.call(Method::POST, IMPORT, OPERATOR, Some(long)).await.problem(413), "body_too_large");
    for key in [VIEWER, AUDITOR, AGENT] {
        let body = request(&good, json!({}));
        assert_eq!(world.call(Method::POST, IMPORT, key, Some(body)).await.problem(403), "forbidden");
    }
    world.is_as_before(&before).await;
}

#[tokio::test]
async fn hundreds_are_recorded_in_parts() {
    let (world, now) = (World::new().await, ManualClock::START);
    let authority = TestAuthority::new(1, now).await;
    let mut bundle = String::new();
    for number in 0..600 {
        bundle += &issued(&authority, &format!("host-{number}.example"), now + 90 * DAY).await.chain.leaf_pem();
    }
    assert!(bundle.len() < 1 << 20, "{}", bundle.len());
    let done = import(&world, &bundle, json!({ "agent_id": null, "tags": { "from": "elsewhere" } })).await;
    assert_eq!((&done["total_imported"], &done["total_failed"]), (&json!(600), &json!(0)), "{}", done["errors"]);
    assert_eq!(world.get("/api/v1/certificates?per_page=1").await.expect(200)["total"], 600);
}
