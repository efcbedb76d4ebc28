//! The status of a CA is told by the one above it.

use std::time::Duration;

use certctl_core::domain::Serial;
use certctl_core::engine::PublicUrl;
use certctl_core::pki::certificate;
use certctl_core::pki::path::{PathError, Revocation, RevocationList, UnknownStatus};

use super::*;
use crate::ocsp::{Issued, Status};

/// Root, policy CA, issuing CA, and a leaf of it.
struct Hierarchy {
    world: World,
    /// The leaf first.
    chain: Chain,
}

impl Hierarchy {
    async fn new(config: Value) -> Self {
        let url = PublicUrl::parse("http://pki.example.com/").unwrap();
        let world = World::built(|builder| builder.public_url(url)).await;
        make(&world, json!({ "id": "ica-top", "name": "Top", "path_length": 1 })).await.expect(201);
        make(&world, json!({ "id": "ica-low", "name": "Low", "parent_id": "ica-top", "validity_days": 900 }))
            .await
            .expect(201);
        let mut config = config;
        config["signing_ca"] = json!("ica-low");
        world.put("/api/v1/issuers/iss-local", json!({ "config": config })).await.expect(200);
        world.issued("mc-1", 1).await;
        let exported = world.get("/api/v1/certificates/mc-1/export/pem").await.expect(200);
        let chain = Chain::from_pem(exported["full_pem"].as_str().unwrap()).unwrap();
        assert_eq!(chain.certificates().len(), 4);
        Self { world, chain }
    }

    /// What stands in a certificate, by its place in the chain.
    fn facts(&self, place: usize) -> certctl_core::domain::CertificateFacts {
        certificate::parse(&self.chain.certificates()[place]).unwrap()
    }

    /// The list that a certificate names, as relying parties fetch it.
    async fn list(&self, place: usize) -> Vec<u8> {
        let urls = self.facts(place).crl_urls;
        let url = urls.first().unwrap_or_else(|| panic!("certificate {place} names no list"));
        let answer = self.world.fetch(url.strip_prefix("http://pki.example.com").unwrap()).await;
        assert_eq!(answer.status, 200, "{url}: {}", answer.text);
        answer.octets
    }

    /// The whole path with the lists that its certificates name.
    async fn verified(&self) -> Result<(), PathError> {
        let mut octets = Vec::new();
        for place in 0..3 {
            octets.push(self.list(place).await);
        }
        let lists: Vec<_> = octets.iter().map(|der| RevocationList::read(der).unwrap()).collect();
        let anchors = [TrustAnchor::from_certificate(&self.chain.certificates()[3]).unwrap()];
        let revocation = Revocation::Lists { lists: &lists, signers: &[], unknown: UnknownStatus::Refuse };
        let now = self.world.engine.ports().clock.now();
        let validation = Validation { revocation, ..Validation::new(&anchors, now) };
        validation.validate(self.chain.certificates()).map(|_| ())
    }

    /// What OCSP says of a certificate at the place that it names.
    async fn status(&self, place: usize) -> Status {
        let url = self.facts(place).ocsp_urls.first().unwrap_or_else(|| panic!("{place} names no responder")).clone();
        let issued = Issued { serial: self.serial(place), ca: self.chain.certificates()[place + 1].clone() };
        self.world.status_at(url.strip_prefix("http://pki.example.com").unwrap(), &issued).await
    }

    fn serial(&self, place: usize) -> Serial {
        self.facts(place).serial
    }

    async fn after(&self, time: Duration) {
        self.world.fakes.clock.advance(time);
        self.world.engine.step().await.unwrap();
    }

    async fn config(&self, config: Value) {
        self.world.put("/api/v1/issuers/iss-local", json!({ "config": config })).await.expect(200);
    }

    async fn revoke(&self, id: &str, body: Value) -> Answer {
        self.world.post(&format!("/api/v1/intermediates/{id}/revoke"), body).await
    }
}

#[tokio::test]
async fn each_ca_is_answered_for_by_the_one_above_it() {
    let hierarchy = Hierarchy::new(json!({})).await;
    let world = &hierarchy.world;
    hierarchy.verified().await.unwrap();
    for place in 0..3 {
        assert_eq!(hierarchy.status(place).await, Status::Good, "certificate {place}");
        // The issuer answers for all of its CAs.
        let issued = Issued { serial: hierarchy.serial(place), ca: hierarchy.chain.certificates()[place + 1].clone() };
        assert_eq!(world.status_of(&issued).await, Status::Good, "certificate {place}");
    }
    // By the issuer's name, and by its own, it is the one that signs now.
    for name in ["iss-local", "ica-low"] {
        let ca = world.fetch(&format!("/.well-known/pki/ca/{name}")).await;
        assert_eq!(ca.octets, hierarchy.chain.certificates()[1], "{name}");
        assert_eq!(world.fetch(&format!("/.well-known/pki/crl/{name}")).await.octets, hierarchy.list(0).await);
    }

    // What signs, or has CAs below it that do, is not revoked by mistake.
    assert_eq!(hierarchy.revoke("ica-low", json!({})).await.problem(409), "in_use");
    assert_eq!(hierarchy.revoke("ica-top", json!({})).await.problem(409), "has_active_children");
    assert_eq!(hierarchy.revoke("ica-none", json!({})).await.problem(404), "not_found");
    hierarchy.config(json!({})).await;
    let hold = hierarchy.revoke("ica-low", json!({ "reason": "certificateHold" })).await;
    assert_eq!(check_problem(&hold, 400)["errors"][0]["code"], "no_hold");
    world.call(Method::POST, "/api/v1/intermediates/ica-low/revoke", OPERATOR, Some(json!({}))).await.problem(403);
    hierarchy.verified().await.unwrap();

    let revoked = hierarchy.revoke("ica-low", json!({ "reason": "keyCompromise" })).await.expect(200);
    assert_eq!((&revoked["state"], &revoked["revocation_reason"]), (&json!("retired"), &json!("keyCompromise")));
    assert_eq!(hierarchy.revoke("ica-low", json!({})).await.problem(409), "already_revoked");
    assert_eq!(world.told("intermediate_ca_revoked").await, 1);
    // At once by OCSP, within seconds by the list.
    assert!(matches!(hierarchy.status(1).await, Status::Revoked(_, 1)));
    assert_eq!((hierarchy.status(0).await, hierarchy.status(2).await), (Status::Good, Status::Good));
    hierarchy.after(Duration::from_secs(2)).await;
    let error = hierarchy.verified().await.unwrap_err();
    assert!(error.position == 1 && error.to_string().contains("revoked"), "{error}");

    // A CA that was retired before may still be revoked, from below upwards.
    let top = world.post("/api/v1/intermediates/ica-top/retire", json!({})).await.expect(200);
    assert_eq!(top["state"], "retiring");
    hierarchy.revoke("ica-top", json!({})).await.expect(200);
    hierarchy.after(Duration::from_secs(2)).await;
    assert!(matches!(hierarchy.status(2).await, Status::Revoked(_, 0)));
    let error = hierarchy.verified().await.unwrap_err();
    assert!(error.to_string().contains("revoked"), "{error}");
}

#[tokio::test]
async fn the_lists_of_a_ca_that_signs_are_those_that_its_issuer_publishes() {
    let hierarchy = Hierarchy::new(json!({ "crl_shards": 4, "crl_deltas": true })).await;
    assert!(hierarchy.facts(0).crl_urls[0].contains("/shard/"), "{:?}", hierarchy.facts(0).crl_urls);
    hierarchy.verified().await.unwrap();
    hierarchy.world.revoke("mc-1", json!({})).await.expect(200);
    hierarchy.after(Duration::from_secs(2)).await;
    let error = hierarchy.verified().await.unwrap_err();
    assert_eq!(error.position, 0, "{error}");
    // Another one signs now: what the last one published goes on.
    hierarchy.config(json!({ "crl_shards": 4, "crl_deltas": true })).await;
    hierarchy.after(Duration::from_hours(13)).await;
    assert_eq!(hierarchy.verified().await.unwrap_err().position, 0);
    // A CA is not listed in shards, but in the complete list and among its changes.
    hierarchy.revoke("ica-low", json!({ "reason": "superseded" })).await.expect(200);
    hierarchy.after(Duration::from_secs(2)).await;
    assert_eq!(RevocationList::read(&hierarchy.list(1).await).unwrap().entries().unwrap(), 1);
    assert!(matches!(hierarchy.status(1).await, Status::Revoked(_, 4)));
}
