//! Certificates that leave: PEM and trust stores.

use std::sync::Arc;

use axum::http::Method;
use certctl_core::domain::Chain;
use certctl_core::ports::Secret;
use certctl_http::wire::ExportPkcs12;
use serde_json::json;

use crate::client::{InProcess, client};
use crate::world::{OPERATOR, VIEWER, World, check_problem, csr};

/// A world with `mc-1`, which was issued.
async fn issued() -> World {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    let request = json!({ "csr_pem": csr("mc-1", 1).await });
    let signed = world.post("/api/v1/certificates/mc-1/csr", request).await.expect(202);
    assert_eq!(signed["status"], "csr_signed");
    world
}

#[tokio::test]
async fn pem_comes_in_parts_or_as_a_file() {
    let world = issued().await;
    let path = "/api/v1/certificates/mc-1/export/pem";
    let parts = world.call(Method::GET, path, OPERATOR, None).await.expect(200);
    let text = |name: &str| parts[name].as_str().unwrap().to_owned();
    let chain = Chain::from_pem(&text("full_pem")).unwrap();
    assert_eq!((text("cert_pem"), text("chain_pem")), (chain.leaf_pem(), chain.issuers_pem()));
    assert_eq!(chain.issuers().len(), 1);
    let newest = world.get("/api/v1/certificates/mc-1").await.expect(200);
    assert_eq!(newest["fingerprint_sha256"], chain.fingerprint().to_string());

    let file = world.get(&format!("{path}?download=true")).await;
    assert_eq!(file.header("content-type"), "application/x-pem-file");
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"certificate.pem\"");
    assert_eq!(file.text, text("full_pem"));
    assert!(world.get(&format!("{path}?download=false")).await.json()["full_pem"].is_string());
    assert!(!parts.to_string().contains("PRIVATE KEY"));
}

#[tokio::test]
async fn a_trust_store_is_a_file_of_its_own_type() {
    let world = issued().await;
    let path = "/api/v1/certificates/mc-1/export/pkcs12";
    for body in [Some(json!({ "password": "changeit" })), Some(json!({ "password": "" })), Some(json!({})), None] {
        let store = world.call(Method::POST, path, OPERATOR, body).await;
        assert_eq!((store.status.as_u16(), store.header("content-type")), (200, "application/x-pkcs12"));
        assert_eq!(store.header("content-disposition"), "attachment; filename=\"certificate.p12\"");
        // A SEQUENCE with a length of two octets: what stands in it is looked at by openssl and keytool elsewhere.
        assert_eq!(store.octets[..2], [0x30, 0x82]);
    }
    let refused = world.post(path, json!({ "password": "pässwörd" })).await;
    let problem = check_problem(&refused, 422);
    assert_eq!((&problem["code"], &problem["errors"][0]["pointer"]), (&json!("bad_password"), &json!("/password")));
    assert!(!refused.text.contains("pässwörd"));
    world.post(path, json!({ "password": 7 })).await.problem(400);
    world.post(path, json!({ "password": "x".repeat(1_025) })).await.problem(400);
}

#[tokio::test]
async fn what_was_not_issued_is_not_found_and_viewers_export_nothing() {
    let world = issued().await;
    world.certificate("mc-2", json!({ "issue": false })).await;
    for id in ["mc-2", "none"] {
        world.get(&format!("/api/v1/certificates/{id}/export/pem")).await.problem(404);
        world.post(&format!("/api/v1/certificates/{id}/export/pkcs12"), json!({})).await.problem(404);
    }
    world.call(Method::GET, "/api/v1/certificates/mc-1/export/pem", VIEWER, None).await.problem(403);
    world.call(Method::POST, "/api/v1/certificates/mc-1/export/pkcs12", VIEWER, None).await.problem(403);
}

#[tokio::test]
async fn a_client_exports() {
    let http = Arc::new(InProcess(issued().await));
    let operator = client(&http, OPERATOR);
    let id = "mc-1".parse().unwrap();
    let pem = operator.export_certificate_pem(&id).await.unwrap();
    assert_eq!(pem.full_pem, pem.cert_pem + &pem.chain_pem);
    let request = ExportPkcs12 { password: Some(Secret::new("changeit")) };
    assert_eq!(operator.export_certificate_pkcs12(&id, &request).await.unwrap()[0], 0x30);
    let request = ExportPkcs12 { password: Some(Secret::new("\u{1f511}")) };
    let refused = operator.export_certificate_pkcs12(&id, &request).await.unwrap_err();
    assert_eq!((refused.status(), refused.code()), (Some(422), Some("bad_password")));
}
