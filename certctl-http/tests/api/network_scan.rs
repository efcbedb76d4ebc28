//! Networks that the server searches: kept, checked, searched now.

use std::sync::Arc;

use axum::http::Method;
use certctl_core::domain::pem;
use certctl_core::ports::{Clock, ProbeError};
use certctl_core::testing::TestAuthority;
use certctl_http::client::{Listing, ScanAnswer};
use certctl_http::wire::{CreateNetworkScanTarget, UpdateNetworkScanTarget};
use serde_json::{Value, json};

use crate::client::{InProcess, client};
use crate::world::{ADMIN, OPERATOR, VIEWER, World, check_problem};

const TARGETS: &str = "/api/v1/network-scan-targets";

async fn made(world: &World, more: Value) -> Value {
    let mut request = json!({ "id": "nst-1", "name": "office", "cidrs": ["192.0.2.0/29"] });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.post(TARGETS, request).await.expect(201)
}

#[tokio::test]
async fn a_target_is_kept_changed_and_deleted() {
    let world = World::new().await;
    let target = made(&world, json!({})).await;
    assert_eq!((&target["ports"], &target["enabled"]), (&json!([443]), &json!(true)));
    assert_eq!((&target["scan_interval_hours"], &target["timeout_ms"]), (&json!(6), &json!(5000)));
    assert!(target.get("last_scan_at").is_none());
    assert_eq!(world.get(&format!("{TARGETS}/nst-1")).await.expect(200), target);
    let change = json!({ "enabled": false, "ports": [8443, 443], "cidrs": ["10.0.0.0/20", "10.1.2.3"], "id": "other" });
    let changed = world.put(&format!("{TARGETS}/nst-1"), change).await.expect(200);
    assert_eq!(
        (&changed["name"], &changed["enabled"], &changed["id"]),
        (&json!("office"), &json!(false), &json!("nst-1"))
    );
    assert_eq!(world.get(TARGETS).await.expect(200)["data"], json!([changed]));
    world.call(Method::POST, TARGETS, VIEWER, Some(json!({ "name": "x", "cidrs": [] }))).await.problem(403);
    world.delete(&format!("{TARGETS}/nst-1")).await.expect(204);
    assert_eq!(world.get(TARGETS).await.expect(200)["data"], json!([]));
    for path in ["", "/scan"] {
        let method = if path.is_empty() { Method::DELETE } else { Method::POST };
        world.call(method, &format!("{TARGETS}/nst-1{path}"), ADMIN, Some(json!({}))).await.problem(404);
    }
    world.get(&format!("{TARGETS}/nst-1")).await.problem(404);
    world.put(&format!("{TARGETS}/nst-1"), json!({})).await.problem(404);
}

#[tokio::test]
async fn what_may_not_be_searched_is_refused_with_its_place() {
    let world = World::new().await;
    made(&world, json!({})).await;
    let many: Vec<String> = (0..65).map(|number| format!("10.0.{number}.0/24")).collect();
    for (wrong, pointer) in [
        (json!({ "name": " " }), "/name"),
        (json!({ "cidrs": [] }), "/cidrs"),
        (json!({ "cidrs": many }), "/cidrs"),
        (json!({ "cidrs": ["10.0.0.0/24", "10.0.0.0/19"] }), "/cidrs/1"),
        (json!({ "cidrs": ["2001:db8::/115"] }), "/cidrs/0"),
        (json!({ "cidrs": ["10.0.0.7/24"] }), "/cidrs/0"),
        (json!({ "cidrs": ["office"] }), "/cidrs/0"),
        (json!({ "cidrs": [""] }), "/cidrs/0"),
        (json!({ "cidrs": ["127.0.0.1"] }), "/cidrs/0"),
        (json!({ "cidrs": ["169.254.169.254"] }), "/cidrs/0"),
        (json!({ "cidrs": ["224.0.0.0/28"] }), "/cidrs/0"),
        (json!({ "cidrs": ["255.255.255.255"] }), "/cidrs/0"),
        (json!({ "cidrs": ["::1"] }), "/cidrs/0"),
        (json!({ "cidrs": ["::ffff:127.0.0.1"] }), "/cidrs/0"),
        (json!({ "ports": [443, 0] }), "/ports/1"),
        (json!({ "ports": [65_536] }), "/ports/0"),
        (json!({ "ports": ["https"] }), "/ports/0"),
        (json!({ "scan_interval_hours": 0 }), "/scan_interval_hours"),
        (json!({ "timeout_ms": 49 }), "/timeout_ms"),
        (json!({ "timeout_ms": 60_001 }), "/timeout_ms"),
        (json!({ "cidrs": vec!["10.0.0.0/20"; 64], "ports": [443, 8443] }), "/cidrs"),
    ] {
        let mut request = json!({ "name": "other", "cidrs": ["192.0.2.0/29"] });
        request.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        for answer in [world.post(TARGETS, request).await, world.put(&format!("{TARGETS}/nst-1"), wrong.clone()).await]
        {
            assert_eq!(check_problem(&answer, 400)["errors"][0]["pointer"], pointer, "{wrong}: {}", answer.text);
        }
    }
    assert_eq!(world.get(TARGETS).await.expect(200)["total"], 1);
}

#[tokio::test]
async fn a_search_that_is_asked_for_answers_with_what_was_found() {
    let world = World::new().await;
    made(&world, json!({ "enabled": false })).await;
    let scan = format!("{TARGETS}/nst-1/scan");
    let nothing = world.post(&scan, json!({})).await.expect(200);
    assert_eq!(nothing["status"], "completed");
    let authority = TestAuthority::new(3, world.fakes.clock.now()).await;
    let der = pem::parse(&authority.root_pem(), 1 << 20).unwrap().remove(0).der;
    world.fakes.tls.serve("192.0.2.4", 443, vec![der]);
    world.fakes.tls.handle(|request| {
        let endpoint = request.endpoint.clone();
        let reason = "it does not speak TLS".to_owned();
        (endpoint.host == "192.0.2.5").then_some(Err(ProbeError::Handshake { endpoint, reason }))
    });
    let found = world.post(&scan, json!({})).await.expect(202);
    assert_eq!((&found["certificates_found"], &found["certificates_new"]), (&json!(1), &json!(1)));
    assert_eq!((&found["errors_count"], &found["agent_id"]), (&json!(1), &json!("server-scanner")));
    assert!(found["errors"][0].as_str().unwrap().contains("192.0.2.5:443") && found["completed_at"].is_string());
    let list = world.get("/api/v1/discovered-certificates?agent_id=server-scanner").await.expect(200);
    assert_eq!((&list["total"], &list["data"][0]["source_path"]), (&json!(1), &json!("192.0.2.4:443")));
    let target = world.get(&format!("{TARGETS}/nst-1")).await.expect(200);
    assert_eq!((&target["last_scan_certs_found"], &target["last_scan_at"]), (&json!(1), &found["completed_at"]));
    assert_eq!(world.get("/api/v1/discovery-scans").await.expect(200)["total"], 2);
    world.call(Method::POST, &scan, VIEWER, None).await.problem(403);
}

#[tokio::test]
async fn a_client_keeps_and_searches_networks() {
    let http = Arc::new(InProcess(World::new().await));
    let operator = client(&http, OPERATOR);
    let request = CreateNetworkScanTarget {
        name: "lab".into(),
        cidrs: vec!["192.0.2.1".into()],
        ..CreateNetworkScanTarget::default()
    };
    let made = operator.create_network_scan_target(&request).await.unwrap();
    assert!(made.id.as_str().starts_with("nst-"));
    let update = UpdateNetworkScanTarget { timeout_ms: Some(100), ..UpdateNetworkScanTarget::default() };
    assert_eq!(operator.update_network_scan_target(&made.id, &update).await.unwrap().timeout_ms, 100);
    let ScanAnswer::Nothing(nothing) = operator.trigger_network_scan(&made.id).await.unwrap() else { panic!("a scan") };
    assert_eq!(nothing.status, "completed");
    assert_eq!(operator.network_scan_target(&made.id).await.unwrap().last_scan_certs_found, Some(0));
    assert_eq!(operator.list_network_scan_targets(&Listing::default()).await.unwrap().data.len(), 1);
    operator.delete_network_scan_target(&made.id).await.unwrap();
}
