//! The patterns of a profile, on every path on which something can be issued.

use axum::http::Method;
use certctl_core::domain::{KeyAlgorithm, SubjectNames};
use certctl_core::ports::Keys;
use certctl_core::testing::{SeededRng, TestKeys};
use serde_json::{Value, json};

use crate::world::{Answer, World, certificate};

/// Every way in which a certificate can be issued keeps to the patterns of its profile.
#[tokio::test]
async fn patterns_of_names_hold_on_every_path() {
    let san = json!({ "required_san_patterns": ["*.corp.example"], "spiffe_uri_pattern": "" });
    let spiffe = json!({ "required_san_patterns": [], "spiffe_uri_pattern": "spiffe://corp/*" });
    let names = ["www.mc-1.example.com", "spiffe://other/web"];
    for (rule, patterns) in [("san_pattern", san), ("spiffe_pattern", spiffe)] {
        let world = World::new().await;
        let credential = world.agent("edge-1").await;
        world.post("/api/v1/profiles", json!({ "id": "prof-1", "name": "one" })).await.expect(201);
        let tight = json!({ "id": "prof-2", "name": "two" });
        let mut tight = tight.as_object().unwrap().clone();
        tight.extend(patterns.as_object().unwrap().clone());
        world.post("/api/v1/profiles", Value::Object(tight)).await.expect(201);
        let refused = |answer: Answer, path: &str| {
            let text = answer.text.clone();
            assert!((400..500).contains(&answer.status.as_u16()), "{rule} by {path}: {} {text}", answer.status);
            assert!(text.contains(rule), "{rule} by {path}: {text}");
        };
        let with = |id: &str, profile: &str, more: Value| {
            let mut request = certificate(id, json!({ "certificate_profile_id": profile, "sans": names }));
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            request
        };
        // Asked for anew, or moved to the profile.
        refused(world.post("/api/v1/certificates", with("mc-0", "prof-2", json!({}))).await, "create");
        world.post("/api/v1/certificates", with("mc-1", "prof-1", json!({ "agent_id": "edge-1" }))).await.expect(201);
        world.post("/api/v1/certificates", with("mc-2", "prof-1", json!({}))).await.expect(201);
        let path = "/api/v1/certificates/mc-1";
        refused(world.put(path, json!({ "certificate_profile_id": "prof-2" })).await, "update");
        // The profile gets its patterns while requests are awaited.
        world.put("/api/v1/profiles/prof-1", patterns.clone()).await.expect(200);
        world.fakes.clock.advance(std::time::Duration::from_secs(2));
        let subject = SubjectNames::new("mc-1.example.com", &names.map(str::to_owned)).unwrap();
        let key = TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(3)).await.unwrap();
        let csr = certctl_core::pki::csr::build(&subject, &*key.signer).await.unwrap().to_pem();
        let request = json!({ "csr_pem": csr, "certificate_id": "mc-1" });
        let by_agent = world.call(Method::POST, "/api/v1/agents/edge-1/csr", &credential, Some(request)).await;
        refused(by_agent, "an agent's request");
        let other = SubjectNames::new("mc-2.example.com", &names.map(str::to_owned)).unwrap();
        let csr = certctl_core::pki::csr::build(&other, &*key.signer).await.unwrap().to_pem();
        refused(world.post("/api/v1/certificates/mc-2/csr", json!({ "csr_pem": csr })).await, "a request of one's own");
        for id in ["mc-1", "mc-2"] {
            for job in
                world.get(&format!("/api/v1/jobs?certificate_id={id}")).await.expect(200)["data"].as_array().unwrap()
            {
                let job = job["id"].as_str().unwrap();
                world.post(&format!("/api/v1/jobs/{job}/cancel"), json!({})).await.expect(200);
            }
            refused(world.post(&format!("/api/v1/certificates/{id}/renew"), json!({})).await, "renew");
            let versions = world.get(&format!("/api/v1/certificates/{id}/versions")).await.expect(200);
            assert_eq!(versions["total"], 0, "nothing was issued");
        }
    }
}
