//! What agents find on their hosts: recorded once per place, matched, claimed, dismissed, counted.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use certctl_core::agent::{AgentConfig, AgentRuntime};
use certctl_core::connector::Registry;
use certctl_core::domain::{AgentId, Fingerprint, pem};
use certctl_core::ports::Clock;
use certctl_core::testing::TestAuthority;
use certctl_http::client::{Listing, RemoteControlPlane};
use serde_json::{Value, json};

use crate::client::{InProcess, client};
use crate::world::{ADMIN, OPERATOR, VIEWER, World, check_problem, csr};

const FOUND: &str = "/api/v1/discovered-certificates";
const SCANS: &str = "/api/v1/discovery-scans";

/// A report as the predecessor's agents send it.
fn report(certificates: Value) -> Value {
    json!({
        "agent_id": "edge-1", "directories": ["/srv/tls"], "certificates": certificates, "errors": null,
        "scan_duration_ms": 12,
    })
}

fn entry(print: &str, path: &str) -> Value {
    json!({
        "fingerprint_sha256": print, "common_name": "old.lab.test", "sans": null, "serial_number": "1f",
        "issuer_dn": "CN=Lab", "subject_dn": "CN=old.lab.test", "not_before": "2030-01-01T00:00:00Z",
        "not_after": "never", "key_algorithm": "RSA", "key_size": 2048, "is_ca": false, "source_path": path,
        "source_format": "PEM",
    })
}

async fn told(world: &World, agent: &str, report: Value) -> Value {
    world.post(&format!("/api/v1/agents/{agent}/discoveries"), report).await.expect(202)
}

async fn world() -> World {
    let world = World::new().await;
    world.agent("edge-1").await;
    world
}

async fn summary(world: &World) -> [u64; 3] {
    let counts = world.get("/api/v1/discovery-summary").await.expect(200);
    ["unmanaged", "managed", "dismissed"].map(|name| {
        let title = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        assert_eq!(counts[name], counts[&title], "{counts}");
        counts[name].as_u64().unwrap()
    })
}

#[tokio::test]
async fn a_certificate_at_a_place_is_one_record_however_often_it_is_told() {
    let world = world().await;
    let (a, b) = ("AA".repeat(32), "bb".repeat(32));
    let certificates = json!([entry(&a, "/srv/tls/a.pem"), entry(&b, "/srv/tls/a.pem"), entry(&a, "/srv/tls/a.pem")]);
    let scan = told(&world, "edge-1", report(certificates.clone())).await;
    assert_eq!((&scan["certificates_found"], &scan["certificates_new"]), (&json!(2), &json!(2)));
    assert_eq!((&scan["errors_count"], &scan["scan_duration_ms"]), (&json!(0), &json!(12)));
    assert!(scan["completed_at"].is_string() && scan["started_at"].as_str() < scan["completed_at"].as_str(), "{scan}");
    assert_eq!((&scan["agent_id"], &scan["directories"]), (&json!("edge-1"), &json!(["/srv/tls"])));

    let list = world.get(FOUND).await.expect(200);
    assert_eq!(list["total"], 2);
    let first = list["data"].as_array().unwrap().iter().find(|one| one["fingerprint_sha256"] == a.to_lowercase());
    let first = first.unwrap().clone();
    assert_eq!((&first["status"], &first["serial_number"]), (&json!("Unmanaged"), &json!("1f")));
    assert_eq!((&first["sans"], &first["not_before"]), (&json!([]), &json!("2030-01-01T00:00:00Z")));
    for absent in ["not_after", "managed_certificate_id", "dismissed_at", "pem_data"] {
        assert!(first.get(absent).is_none(), "{first}");
    }

    world.fakes.clock.advance(Duration::from_secs(60));
    let again = told(&world, "edge-1", report(certificates)).await;
    assert_eq!((&again["certificates_found"], &again["certificates_new"]), (&json!(2), &json!(0)));
    let second = world.get(&format!("{FOUND}/{}", first["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&second["first_seen_at"], &second["updated_at"]), (&first["first_seen_at"], &first["updated_at"]));
    assert!(second["last_seen_at"].as_str() > first["last_seen_at"].as_str());
    assert_eq!(second["discovery_scan_id"], again["id"]);

    // Another place, or another agent, is another record.
    world.agent("edge-2").await;
    told(&world, "edge-1", report(json!([entry(&a, "/srv/tls/c.pem")]))).await;
    told(&world, "edge-2", report(json!([entry(&a, "/srv/tls/a.pem")]))).await;
    assert_eq!(world.get(FOUND).await.expect(200)["total"], 4);
    assert_eq!(world.get(&format!("{FOUND}?agent_id=edge-2")).await.expect(200)["total"], 1);
    assert_eq!(world.get(&format!("{FOUND}?status=Managed")).await.expect(200)["data"], json!([]));
    assert_eq!(world.get(&format!("{SCANS}?agent_id=edge-1")).await.expect(200)["total"], 3);
    let scans = world.get(SCANS).await.expect(200);
    assert_eq!(scans["data"][3]["certificates_new"], 2, "what was new is stored, too: {scans}");
    assert_eq!(summary(&world).await, [4, 0, 0]);
}

#[tokio::test]
async fn what_a_certificate_says_of_itself_counts_more_than_what_is_said_of_it() {
    let world = world().await;
    let root = TestAuthority::new(3, world.fakes.clock.now()).await;
    let der = pem::parse(&root.root_pem(), 1 << 20).unwrap().remove(0).der;
    let print = Fingerprint::of(&der).to_string();
    let mut told_wrong = entry(&print.to_uppercase(), "/srv/tls/root.crt");
    told_wrong["pem_data"] = json!(pem::encode("CERTIFICATE", &der));
    told(&world, "edge-1", report(json!([told_wrong]))).await;
    let list = world.get(FOUND).await.expect(200);
    let found = &list["data"][0];
    assert_eq!((&found["common_name"], &found["is_ca"]), (&json!("Test Root"), &json!(true)), "{found}");
    assert_eq!((&found["fingerprint_sha256"], &found["key_algorithm"]), (&json!(print), &json!("ECDSA")));
    assert!(found["not_after"].is_string() && found.get("pem_data").is_none());
    let whole = world.get(&format!("{FOUND}/{}", found["id"].as_str().unwrap())).await.expect(200);
    assert!(whole["pem_data"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));

    // Nobody can say that a certificate is another one, and the print may be left out.
    let mut other = entry(&"0".repeat(64), "/srv/tls/x.crt");
    other["pem_data"] = json!(pem::encode("CERTIFICATE", &der));
    let answer = world.post("/api/v1/agents/edge-1/discoveries", report(json!([other.clone()]))).await;
    assert_eq!(check_problem(&answer, 400)["errors"][0]["pointer"], "/certificates/0/fingerprint_sha256");
    other["fingerprint_sha256"] = json!("");
    told(&world, "edge-1", report(json!([other]))).await;
    // DER that nobody can read is kept with what was said of it.
    let odd = vec![0x30, 0x03, 0x02, 0x01, 0x05];
    let mut unreadable = entry(&Fingerprint::of(&odd).to_string(), "/srv/tls/odd.crt");
    unreadable["pem_data"] = json!(pem::encode("CERTIFICATE", &odd));
    told(&world, "edge-1", report(json!([unreadable]))).await;
    let names: Vec<Value> = world.get(FOUND).await.expect(200)["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["common_name"].clone())
        .collect();
    assert_eq!(names.iter().filter(|name| **name == "Test Root").count(), 2);
    assert!(names.contains(&json!("old.lab.test")));
}

#[tokio::test]
async fn a_version_of_a_managed_certificate_is_matched_by_its_fingerprint() {
    let world = world().await;
    let stray = "cc".repeat(32);
    world.certificate("mc-shop", json!({})).await;
    let request = json!({ "csr_pem": csr("mc-shop", 1).await });
    world.post("/api/v1/certificates/mc-shop/csr", request).await.expect(202);
    let versions = world.get("/api/v1/certificates/mc-shop/versions").await.expect(200);
    let print = versions["data"][0]["fingerprint_sha256"].as_str().unwrap().to_uppercase();
    let certificates = json!([entry(&print, "/etc/nginx/shop.pem"), entry(&stray, "/etc/nginx/other.pem")]);
    told(&world, "edge-1", report(certificates.clone())).await;
    assert_eq!(summary(&world).await, [1, 1, 0]);
    let managed = world.get(&format!("{FOUND}?managed_certificate_id=mc-shop")).await.expect(200);
    assert_eq!((&managed["total"], &managed["data"][0]["status"]), (&json!(1), &json!("Managed")));

    // What somebody dismissed stays dismissed, though it is a managed one.
    let id = managed["data"][0]["id"].as_str().unwrap().to_owned();
    let answer = world.post(&format!("{FOUND}/{id}/dismiss"), json!({})).await.expect(200);
    assert_eq!(answer["status"], "dismissed");
    told(&world, "edge-1", report(certificates)).await;
    let dismissed = world.get(&format!("{FOUND}/{id}")).await.expect(200);
    assert_eq!((&dismissed["status"], dismissed.get("managed_certificate_id")), (&json!("Dismissed"), None));
    assert!(dismissed["dismissed_at"].is_string());
    assert_eq!(summary(&world).await, [1, 0, 1]);
}

#[tokio::test]
async fn what_was_found_is_claimed_and_dismissed() {
    let world = world().await;
    world.certificate("mc-shop", json!({})).await;
    told(&world, "edge-1", report(json!([entry(&"ab".repeat(32), "/srv/tls/a.pem")]))).await;
    let id = world.get(FOUND).await.expect(200)["data"][0]["id"].as_str().unwrap().to_owned();
    let claim = format!("{FOUND}/{id}/claim");
    let claimed = world.post(&claim, json!({ "managed_certificate_id": "mc-shop" })).await.expect(200);
    assert_eq!(claimed["status"], "claimed");
    let found = world.get(&format!("{FOUND}/{id}")).await.expect(200);
    assert_eq!((&found["status"], &found["managed_certificate_id"]), (&json!("Managed"), &json!("mc-shop")));
    let events = world.get(&format!("/api/v1/audit?resource_id={id}")).await.expect(200);
    assert_eq!(events["data"][0]["action"], "discovery_cert_claimed");

    for (body, pointer) in [
        (json!({}), "/managed_certificate_id"),
        (json!({ "managed_certificate_id": "" }), "/managed_certificate_id"),
        (json!({ "managed_certificate_id": "a b" }), "/managed_certificate_id"),
    ] {
        let answer = world.post(&claim, body).await;
        assert_eq!(check_problem(&answer, 400)["errors"][0]["pointer"], pointer);
    }
    world.post(&claim, json!({ "managed_certificate_id": "mc-none" })).await.problem(404);
    world.post(&format!("{FOUND}/dcert-none/claim"), json!({ "managed_certificate_id": "mc-shop" })).await.problem(404);
    world.post(&format!("{FOUND}/dcert-none/dismiss"), json!({})).await.problem(404);
    world.get(&format!("{FOUND}/dcert-none")).await.problem(404);
    world.delete("/api/v1/certificates/mc-shop").await.expect(204);
    let archived = world.post(&claim, json!({ "managed_certificate_id": "mc-shop" })).await;
    assert_eq!(archived.problem(409), "archived");
    world.call(Method::POST, &claim, VIEWER, Some(json!({ "managed_certificate_id": "mc-shop" }))).await.problem(403);
}

#[tokio::test]
async fn what_is_wrong_with_a_report_is_told_with_its_place_and_nothing_is_recorded() {
    let world = world().await;
    let good = entry(&"ab".repeat(32), "/srv/tls/a.pem");
    let with = |member: &str, value: Value| {
        let mut wrong = good.clone();
        wrong[member] = value;
        report(json!([good, wrong]))
    };
    for (wrong, pointer) in [
        (with("fingerprint_sha256", json!("")), "/certificates/1/fingerprint_sha256"),
        (with("fingerprint_sha256", json!("12")), "/certificates/1/fingerprint_sha256"),
        (with("source_path", json!("")), "/certificates/1/source_path"),
        (with("source_path", json!("a\u{0}")), "/certificates/1/source_path"),
        (with("source_path", json!("x".repeat(4_097))), "/certificates/1/source_path"),
        (with("pem_data", json!("no PEM")), "/certificates/1/pem_data"),
        (with("pem_data", json!(pem::encode("PRIVATE KEY", b"x"))), "/certificates/1/pem_data"),
        (with("key_size", json!("big")), "/certificates/1/key_size"),
        (json!({ "certificates": {} }), "/certificates"),
    ] {
        let answer = world.post("/api/v1/agents/edge-1/discoveries", wrong).await;
        assert_eq!(check_problem(&answer, 400)["errors"][0]["pointer"], pointer, "{}", answer.text);
    }
    assert_eq!(world.get(SCANS).await.expect(200)["total"], 0);
    // Texts that no store keeps and numbers that nobody believes are no reason to lose a report.
    let mut odd = good.clone();
    odd["common_name"] = json!("a\u{0}b");
    odd["key_size"] = json!(-7);
    let mut told_odd = report(json!([odd]));
    told_odd["errors"] = json!(vec!["x".repeat(9_000); 300]);
    told_odd["scan_duration_ms"] = json!(i64::MAX);
    let scan = told(&world, "edge-1", told_odd).await;
    assert_eq!((&scan["errors_count"], scan["errors"].as_array().unwrap().len()), (&json!(300), 100));
    assert_eq!(scan["errors"][0].as_str().unwrap().len(), 500);
    let found = world.get(FOUND).await.expect(200);
    assert_eq!((&found["data"][0]["common_name"], &found["data"][0]["key_size"]), (&json!("a\u{fffd}b"), &json!(0)));
    let empty = told(&world, "edge-1", json!({})).await;
    assert_eq!((&empty["certificates_found"], &empty["directories"]), (&json!(0), &json!([])));

    world.post("/api/v1/agents/nobody/discoveries", report(json!([]))).await.problem(404);
    world.post("/api/v1/agents/server-scanner/discoveries", report(json!([]))).await.problem(404);
    world.delete("/api/v1/agents/edge-1").await.expect(200);
    assert_eq!(world.post("/api/v1/agents/edge-1/discoveries", report(json!([]))).await.problem(410), "agent_retired");
}

#[tokio::test]
async fn a_report_of_thousands_is_recorded_in_parts() {
    let world = world().await;
    let certificates: Vec<Value> =
        (0..1_001).map(|number| entry(&format!("{number:064x}"), &format!("/srv/tls/{number}.pem"))).collect();
    let mut big = report(json!(certificates));
    // More than any other body may be.
    big["errors"] = json!(vec!["x".repeat(1 << 10); 2 << 10]);
    let answer = Request::builder()
        .method(Method::POST)
        .uri("/api/v1/agents/edge-1/discoveries")
        .header("authorization", format!("Bearer {ADMIN}"))
        .header("idempotency-key", "k-1")
        .body(Body::from(big.to_string()))
        .unwrap();
    let scan = world.send(answer).await.expect(202);
    assert_eq!((&scan["certificates_found"], &scan["certificates_new"]), (&json!(1_001), &json!(1_001)));
    assert!(scan["completed_at"].is_string());
    assert_eq!(summary(&world).await, [1_001, 0, 0]);
    let scans = world.get(SCANS).await.expect(200);
    assert_eq!((&scans["total"], &scans["data"][0]["certificates_new"]), (&json!(1), &json!(1_001)));
    let id = scan["id"].as_str().unwrap();
    let events = world.get(&format!("/api/v1/audit?resource_id={id}")).await.expect(200);
    let actions: Vec<&str> =
        events["data"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(actions.iter().filter(|action| **action == "discovery_scan_continued").count(), 4);
    assert_eq!(actions.iter().filter(|action| **action == "discovery_scan_completed").count(), 1);
}

#[tokio::test]
async fn a_client_reads_and_judges_what_was_found() {
    let world = world().await;
    world.certificate("mc-shop", json!({})).await;
    let http = Arc::new(InProcess(world));
    let operator = client(&http, OPERATOR);
    let sent = serde_json::from_value(report(json!([entry(&"ab".repeat(32), "/srv/tls/a.pem")]))).unwrap();
    let agent = "edge-1".parse().unwrap();
    assert_eq!(operator.submit_discovery_report(&agent, &sent).await.unwrap_err().status(), Some(403));
    let scan = client(&http, ADMIN).submit_discovery_report(&agent, &sent).await.unwrap();
    assert_eq!(operator.list_discovery_scans(&Listing::default()).await.unwrap().data, [scan]);
    let listing = Listing::default().filter("status", "Unmanaged");
    let found = operator.list_discovered_certificates(&listing).await.unwrap().data.remove(0);
    assert_eq!(operator.discovered_certificate(&found.id).await.unwrap(), found);
    operator.claim_discovered_certificate(&found.id, &"mc-shop".parse().unwrap()).await.unwrap();
    assert_eq!(operator.discovery_summary().await.unwrap().managed, 1);
    operator.dismiss_discovered_certificate(&found.id).await.unwrap();
    assert_eq!(operator.discovery_summary().await.unwrap().title_dismissed, 1);
}

#[tokio::test]
async fn an_agent_searches_at_its_start_and_every_six_hours() {
    let world = world().await;
    let authority = TestAuthority::new(3, world.fakes.clock.now()).await;
    let fakes = world.fakes.clone();
    fakes.files.insert("/etc/ssl/root.pem", authority.root_pem(), 0o644);
    fakes.files.insert("/etc/ssl/cut.pem", &authority.root_pem()[..100], 0o644);
    let http = Arc::new(InProcess(world));
    let id: AgentId = "edge-1".parse().unwrap();
    let control = RemoteControlPlane::new(client(&http, ADMIN), id.clone());
    let mut config = AgentConfig::new(id, "/var/lib/certctl");
    config.discovery_dirs = vec!["/etc/ssl".into()];
    let agent = AgentRuntime::start(Arc::new(control), fakes.ports(), Registry::new(), config).await.unwrap();
    let scans = async || http.0.get(SCANS).await.expect(200);
    let until = async |count: u64| {
        while scans().await["total"].as_u64().unwrap() < count {
            tokio::task::yield_now().await;
        }
    };
    let watch = async {
        until(1).await;
        fakes.clock.advance(Duration::from_secs(5 * 3_600));
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(scans().await["total"], 1);
        fakes.files.insert("/etc/ssl/more/root.crt", authority.root_pem(), 0o644);
        fakes.clock.advance(Duration::from_secs(3 * 3_600));
        until(2).await;
    };
    tokio::select! {
        stopped = agent.run_until(std::future::pending()) => panic!("{stopped:?}"),
        () = watch => {}
    }
    let scans = scans().await;
    let counts = |at: usize| {
        let scan = &scans["data"][at];
        [&scan["certificates_found"], &scan["certificates_new"], &scan["errors_count"]]
            .map(|count| count.as_u64().unwrap())
    };
    assert_eq!((counts(1), counts(0)), ([1, 1, 1], [2, 1, 1]));
    let why = scans["data"][0]["errors"][0].as_str().unwrap();
    assert!(why.contains("/etc/ssl/cut.pem") && why.contains("breaks off"), "{why}");
    let found = http.0.get(&format!("{FOUND}?agent_id=edge-1")).await.expect(200);
    assert_eq!(found["data"][0]["common_name"], "Test Root");
}
