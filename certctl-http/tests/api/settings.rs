//! Issuers, targets, profiles, renewal policies, owners and teams.

use serde_json::json;

use crate::world::{World, target_config};

#[tokio::test]
async fn a_clients_id_is_kept_and_defaults_are_filled_in() {
    let world = World::new().await;
    let team = world.post("/api/v1/teams", json!({ "id": "team-a", "name": "A", "colour": "red" })).await.expect(201);
    assert_eq!((&team["id"], &team["description"]), (&json!("team-a"), &json!("")));
    let owner = json!({ "name": "O", "email": "o@example.com", "team_id": "team-a" });
    let owner = world.post("/api/v1/owners", owner).await.expect(201);
    assert!(owner["id"].as_str().unwrap().starts_with("own-"));
    assert_eq!(world.get(&format!("/api/v1/owners/{}", owner["id"].as_str().unwrap())).await.expect(200), owner);
    world.post("/api/v1/owners", json!({ "name": "P", "team_id": "team-none" })).await.problem(400);

    let profile = world.post("/api/v1/profiles", json!({ "name": "short" })).await.expect(201);
    assert_eq!(profile["allowed_ekus"], json!(["serverAuth"]));
    let keys = json!([{ "algorithm": "ECDSA", "min_size": 256 }, { "algorithm": "RSA", "min_size": 2048 }]);
    assert_eq!((&profile["allowed_key_algorithms"], &profile["enabled"]), (&keys, &json!(true)));
    let weak = json!({ "name": "weak", "allowed_key_algorithms": [{ "algorithm": "RSA", "min_size": 1024 }] });
    world.post("/api/v1/profiles", weak).await.problem(400);

    let policy = world.post("/api/v1/renewal-policies", json!({ "name": "plain" })).await.expect(201);
    assert_eq!(policy["alert_thresholds_days"], json!([30, 14, 7, 0]));
    assert_eq!((&policy["auto_renew"], &policy["max_retries"]), (&json!(true), &json!(3)));
}

#[tokio::test]
async fn issuers_merge_and_hide_their_secrets() {
    let world = World::new().await;
    let (ca_cert_pem, ca_key_pem) = authority().await;
    let config = json!({ "ca_cert_pem": ca_cert_pem, "ca_key_pem": ca_key_pem });
    let issuer = json!({ "id": "iss-1", "name": "one", "type": "genericca", "config": config });
    let made = world.post("/api/v1/issuers", issuer).await.expect(201);
    assert_eq!(
        (&made["type"], &made["enabled"], &made["source"]),
        (&json!("GenericCA"), &json!(true), &json!("database"))
    );
    assert_eq!(made["test_status"], "untested");
    assert_eq!(made["config"]["ca_key_pem"], "********");
    assert!(!made.to_string().contains("PRIVATE KEY"));

    let renamed = world.put("/api/v1/issuers/iss-1", json!({ "name": "two", "id": "iss-9" })).await.expect(200);
    assert_eq!((&renamed["id"], &renamed["name"]), (&json!("iss-1"), &json!("two")));
    assert_eq!((&renamed["config"], &renamed["created_at"]), (&made["config"], &made["created_at"]));
    // What was shown can be sent back: the hidden key stays, and is still the certificate's.
    let config = renamed["config"].clone();
    let kept = world.put("/api/v1/issuers/iss-1", json!({ "config": config, "enabled": false })).await.expect(200);
    assert_eq!((&kept["enabled"], &kept["config"]["ca_key_pem"]), (&json!(false), &json!("********")));
    assert_eq!(world.put("/api/v1/issuers/iss-1", json!({})).await.expect(200)["enabled"], false);
    world.delete("/api/v1/issuers/iss-1").await.expect(204);
    world.get("/api/v1/issuers/iss-1").await.problem(404);
}

#[tokio::test]
async fn connector_configuration_is_strict() {
    let world = World::new().await;
    let issuer = json!({ "name": "x", "type": "GenericCA", "config": { "validity_dayz": 3 } });
    let answer = world.post("/api/v1/issuers", issuer).await;
    assert!(answer.text.contains("validity_dayz"), "{}", answer.text);
    assert_eq!(answer.problem(400), "invalid_request");
    let unknown = json!({ "name": "x", "type": "NoSuchCA" });
    assert!(world.post("/api/v1/issuers", unknown).await.text.contains("GenericCA"));
}

#[tokio::test]
async fn targets_need_an_agent_that_serves_them() {
    let world = World::new().await;
    let target = |agent: &str| json!({ "name": "t", "type": "nginx", "agent_id": agent, "config": target_config() });
    let without = json!({ "name": "t", "type": "NGINX", "config": target_config() });
    world.post("/api/v1/targets", without).await.problem(400);
    world.post("/api/v1/targets", target("edge-1")).await.problem(400);
    world.agent("edge-1").await;
    let made = world.post("/api/v1/targets", target("edge-1")).await.expect(201);
    assert_eq!((&made["type"], &made["agent_id"]), (&json!("NGINX"), &json!("edge-1")));
    let path = format!("/api/v1/targets/{}", made["id"].as_str().unwrap());
    let renamed = world.put(&path, json!({ "name": "u", "enabled": null })).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["enabled"]), (&json!("u"), &json!(true)));
    assert_eq!(renamed["config"], made["config"]);
    world.delete(&path).await.expect(204);
    world.delete(&path).await.problem(404);
}

/// A CA certificate and its key, PEM.
pub(crate) async fn authority() -> (String, String) {
    use certctl_core::domain::{KeyAlgorithm, Serial, Timestamp, pem};
    use certctl_core::pki::certificate::{AuthorityRequest, DistinguishedName, root};
    use certctl_core::ports::Keys;
    use certctl_core::testing::{SeededRng, TestKeys};

    let rng = SeededRng::new(3);
    let key = TestKeys.generate(KeyAlgorithm::EcdsaP256, &rng).await.unwrap();
    let request = AuthorityRequest {
        subject: DistinguishedName { country: None, organization: None, common_name: "Corp".into() },
        spki: key.signer.public_key().to_vec(),
        serial: Serial::random(&rng),
        not_before: Timestamp::from_unix_seconds(1_500_000_000),
        not_after: Timestamp::from_unix_seconds(4_000_000_000),
        path_length: None,
        crl_urls: Vec::new(),
        ocsp_urls: Vec::new(),
        ca_issuer_urls: Vec::new(),
    };
    let der = root(&request).unwrap().sign(&*key.signer).await.unwrap();
    (pem::encode("CERTIFICATE", &der), certctl_core::pki::private_key::to_pem(&key.pkcs8).to_string())
}
