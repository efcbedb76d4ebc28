//! Whose client certificates count: those of CAs that are revoked do not, and those that a fallback issuer made do.

use certctl_http::{EstAccess, EstProfile, EstTrust, Options, TrustBundle};
use serde_json::{Value, json};

use super::{Call, Door, Machine, by_password, named, request};
use crate::world::World;

const RENEW: &str = "/.well-known/est/simplereenroll";

impl Door {
    /// The same engine behind other servers.
    async fn with_servers(&self, est: Vec<EstProfile>) -> Self {
        let router = certctl_http::router(self.world.engine.clone(), Options { est, ..Options::default() });
        Self::around(World { router, ..self.world.clone() }, |tls| tls).await
    }

    /// Asks for these names, with a new key, as the machine that shows its certificate; gives the refusal.
    async fn refuses(&self, path: &str, machine: &Machine, (seed, names): (u64, &[&str])) -> String {
        let body = request(seed, names).await.1.to_pem();
        self.send(Call::post(path, body.as_bytes()).machine(machine)).await.refused(403)
    }

    async fn lets_in(&self, path: &str, machine: &Machine, (seed, names): (u64, &[&str])) {
        let body = request(seed, names).await.1.to_pem();
        self.send(Call::post(path, body.as_bytes()).machine(machine)).await.certificates();
    }

    async fn signs_with(&self, authority: &str) {
        let change = json!({ "config": { "signing_ca": authority } });
        self.world.put("/api/v1/issuers/iss-local", change).await.expect(200);
    }

    async fn make_authority(&self, body: Value) {
        self.world.post("/api/v1/issuers/iss-local/intermediates", body).await.expect(201);
    }

    async fn revoke_authority(&self, id: &str) {
        let body = json!({ "reason": "keyCompromise" });
        self.world.post(&format!("/api/v1/intermediates/{id}/revoke"), body).await.expect(200);
    }
}

/// A server whose certificates are for TLS clients, and those that trust our own root besides.
async fn for_clients() -> (Door, EstProfile) {
    let mut profile = by_password();
    profile.terms.profile_id = Some("prof-client".parse().unwrap());
    let door = Door::open(vec![profile.clone()]).await;
    let clients = json!({ "id": "prof-client", "name": "client", "allowed_ekus": ["clientAuth"] });
    door.world.post("/api/v1/profiles", clients).await.expect(201);
    (door, profile)
}

fn trusting(profile: &EstProfile, root: &[u8]) -> Vec<EstProfile> {
    let bundle = EstTrust::Bundle(TrustBundle::of(vec![root.to_vec()]));
    let server =
        |name: &str, trust| EstProfile { terms: profile.terms.clone(), ..named(name, EstAccess::Certificate(trust)) };
    vec![profile.clone(), server("own", EstTrust::Issuer), server("bundle", bundle)]
}

#[tokio::test]
async fn a_bundle_with_our_own_ca_is_no_way_around_the_names_of_a_certificate() {
    let (door, profile) = for_clients().await;
    let machine = door.machine(1, &["router.example.com"]).await;
    let root = machine.chain.certificates().last().unwrap();
    let door = door.with_servers(trusting(&profile, root)).await;
    for server in ["own", "bundle"] {
        let path = format!("/.well-known/est/{server}/simpleenroll");
        let text = door.refuses(&path, &machine, (2, &["admin.example.com"])).await;
        assert!(text.contains("exactly the same names"), "{server}: {text}");
        door.lets_in(&path, &machine, (3, &["router.example.com"])).await;
    }
}

#[tokio::test]
async fn nothing_below_a_ca_that_is_revoked_is_believed() {
    let (door, profile) = for_clients().await;
    door.make_authority(json!({ "id": "ica-top", "name": "Top", "path_length": 1 })).await;
    door.make_authority(json!({ "id": "ica-low", "name": "Low", "parent_id": "ica-top", "validity_days": 900 })).await;
    let names = ["router.example.com"];
    door.signs_with("ica-low").await;
    let low = door.machine(1, &names).await;
    assert_eq!(low.chain.certificates().len(), 4);
    let root = low.chain.certificates().last().unwrap().clone();
    let door = door.with_servers(trusting(&profile, &root)).await;
    let paths = [RENEW, "/.well-known/est/own/simpleenroll", "/.well-known/est/bundle/simpleenroll"];
    for (seed, path) in (10..).zip(paths) {
        door.lets_in(path, &low, (seed, &names)).await;
    }
    door.signs_with("").await;
    let other = door.machine(2, &["switch.example.com"]).await;
    door.revoke_authority("ica-low").await;
    for path in paths {
        let text = door.refuses(path, &low, (20, &names)).await;
        assert!(text.contains("a CA above it is revoked"), "{path}: {text}");
    }
    // It is no guess, so whoever comes from the same address does not pay for it.
    for _ in 0..12 {
        door.refuses(RENEW, &low, (20, &names)).await;
    }
    door.lets_in(RENEW, &other, (21, &["switch.example.com"])).await;
}

#[tokio::test]
async fn a_ca_stands_below_those_that_are_revoked_above_it() {
    let (door, profile) = for_clients().await;
    door.make_authority(json!({ "id": "ica-top", "name": "Top", "path_length": 1 })).await;
    door.make_authority(json!({ "id": "ica-low", "name": "Low", "parent_id": "ica-top", "validity_days": 900 })).await;
    let names = ["router.example.com"];
    door.signs_with("ica-low").await;
    let machine = door.machine(1, &names).await;
    door.signs_with("").await;
    // The CA in the middle is trusted by itself, and only the one above it is revoked.
    let middle = machine.chain.certificates()[1].clone();
    let door = door.with_servers(trusting(&profile, &middle)).await;
    let path = "/.well-known/est/bundle/simpleenroll";
    door.lets_in(path, &machine, (2, &names)).await;
    for step in ["retiring", "retired"] {
        let retired = door.world.post("/api/v1/intermediates/ica-low/retire", json!({})).await.expect(200);
        assert_eq!(retired["state"], step);
    }
    door.revoke_authority("ica-top").await;
    for path in [path, RENEW] {
        assert!(door.refuses(path, &machine, (3, &names)).await.contains("revoked"));
    }
}

#[tokio::test]
async fn a_version_that_is_revoked_by_itself_renews_nothing() {
    let door = Door::open(vec![by_password()]).await;
    let names = ["router.example.com"];
    let first = door.machine(1, &names).await;
    let second = door.machine(2, &names).await;
    door.world.revoke_version(first.chain.leaf()).await;
    let text = door.refuses(RENEW, &first, (3, &names)).await;
    assert!(text.contains("it is revoked"), "{text}");
    door.lets_in(RENEW, &second, (4, &names)).await;
}

#[tokio::test]
async fn what_is_revoked_is_no_guess_where_another_ca_counts_besides() {
    let (maker, bundle) = super::foreign(20, &["serial-4711.maker.example"]).await;
    let door = Door::open(vec![by_password(), named("maker", EstAccess::Certificate(bundle))]).await;
    let names = ["router.example.com"];
    let machine = door.machine(1, &names).await;
    let found = door.world.get("/api/v1/certificates").await.expect(200);
    let revoke = format!("/api/v1/certificates/{}/revoke", found["data"][0]["id"].as_str().unwrap());
    door.world.post(&revoke, json!({ "reason": "certificateHold" })).await.expect(200);
    let path = "/.well-known/est/maker/simpleenroll";
    for seed in 10..25 {
        assert!(door.refuses(path, &machine, (seed, &names)).await.contains("it is revoked"));
    }
    door.lets_in(path, &maker, (30, &["switch.example.com"])).await;
    // Ten of them tell whoever reads the trail enough.
    assert_eq!(door.world.told("enrolment_refused").await, 10);
}

#[tokio::test]
async fn what_another_issuer_made_in_place_of_the_own_one_is_renewed() {
    let mut elsewhere = named("elsewhere", by_password().access);
    elsewhere.terms.issuer_id = "iss-2".parse().unwrap();
    let door = Door::open(vec![by_password(), elsewhere]).await;
    door.world.post("/api/v1/issuers", json!({ "id": "iss-2", "name": "two", "type": "GenericCA" })).await.expect(201);
    let names = ["router.example.com"];
    let (key, csr) = request(1, &names).await;
    let chain = door.enrol("/.well-known/est/elsewhere/simpleenroll", &csr).await.certificates();
    let machine = Machine { key, chain };
    assert!(door.refuses(RENEW, &machine, (2, &names)).await.contains("not trusted"));
    // As a fallback leaves it: the certificate is of one issuer, its version of another.
    let found = door.world.get("/api/v1/certificates").await.expect(200);
    let path = format!("/api/v1/certificates/{}", found["data"][0]["id"].as_str().unwrap());
    door.world.put(&path, json!({ "issuer_id": "iss-local" })).await.expect(200);
    door.lets_in(RENEW, &machine, (3, &names)).await;
    // Once revoked, it does so no more.
    door.world.post(&format!("{path}/revoke"), json!({ "reason": "keyCompromise" })).await.expect(200);
    assert!(door.refuses(RENEW, &machine, (4, &names)).await.contains("not trusted"));
}
