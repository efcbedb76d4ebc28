//! Certificates that have more than one version, or one of another issuer than was meant.

use certctl_core::testing::scep::{ScepClient, issuer_and_serial};
use serde_json::json;

use super::{Asked, Scep};

/// Asks for a certificate; gives the failure.
async fn looked_for(scep: &Scep, client: &ScepClient, kind: &str, certificate: &[u8]) -> Option<String> {
    let content = issuer_and_serial(certificate);
    scep.ask(client, Asked { content, ..Asked::new(kind, "a question") }).await.fail_info
}

#[tokio::test]
async fn a_version_that_is_revoked_alone_proves_nothing() {
    let scep = Scep::new().await;
    let (device, next, other) = (scep.client().await, scep.client().await, scep.client().await);
    let first = scep.enrolled(&device, "router").await;
    let second = scep.renewed(&device.with(&first), &next, "router").await;
    let (old, new) = (device.with(&first), next.with(&second));
    let wanted = scep.enrolled(&other, "other").await;
    for client in [&old, &new] {
        assert_eq!(looked_for(&scep, client, "21", &wanted).await, None);
    }
    scep.world.revoke_version(&first).await;
    assert_eq!(scep.managed(&first).await["status"], "Active", "it lives on by its newest version");
    for kind in ["21", "22"] {
        assert_eq!(looked_for(&scep, &old, kind, &wanted).await.as_deref(), Some("4"), "{kind}");
        assert_eq!(looked_for(&scep, &new, kind, &wanted).await, None, "{kind}");
    }
}

#[tokio::test]
async fn what_a_fallback_issued_is_renewed_where_it_was_enrolled() {
    let scep = Scep::new().await;
    let spare = json!({ "id": "iss-spare", "name": "spare", "type": "GenericCA", "config": {} });
    scep.world.post("/api/v1/issuers", spare).await.expect(201);
    let (device, next, other) = (scep.client().await, scep.client().await, scep.client().await);
    let first = scep.enrolled(&device, "router").await;
    let wanted = scep.enrolled(&other, "other").await;
    let (mut version, mut unit) = scep.world.version(&first).await;
    version.issuer_id = "iss-spare".parse().unwrap();
    unit.update(version);
    unit.commit().await.unwrap();
    let device = device.with(&first);
    assert_eq!(looked_for(&scep, &device, "21", &wanted).await, None);
    let second = scep.renewed(&device, &next, "router").await;
    assert_eq!(scep.managed(&second).await["id"], scep.managed(&first).await["id"]);
}
