//! Revoking by those who may, and by nobody else.

use certctl_core::domain::{KeyAlgorithm, Revocation, RevocationReason, SubjectNames};
use certctl_core::enrol::acme::AcmeAuthMode;
use certctl_core::pki;
use certctl_core::ports::Method as HttpMethod;
use certctl_core::storage::{Query, View};
use certctl_core::testing::ScriptedHttp;
use serde_json::{Value, json};

use super::client::{Client, csr, csr_with, encode, key, leaf, problem, serving};
use crate::world::{World, csr as own_csr};

async fn trusting() -> World {
    World::acme(serving(AcmeAuthMode::TrustAuthenticated)).await
}

async fn managed(world: &World) -> Value {
    world.get("/api/v1/certificates").await.expect(200)["data"][0].clone()
}

impl Client<'_> {
    /// An order of a name that this client has proven.
    async fn proven(&self, name: &str) -> Value {
        let (url, order) = self.order(&[name]).await;
        let authorization = self.read(order["authorizations"][0].as_str().unwrap()).await.expect(200);
        let challenge =
            authorization["challenges"].as_array().unwrap().iter().find(|one| one["type"] == "http-01").unwrap();
        let jwk = certctl_core::enrol::acme::jwk::Jwk::of_spki(self.key.public_key()).unwrap();
        let proof = format!("{}.{}", challenge["token"].as_str().unwrap(), jwk.thumbprint());
        self.world.fakes.http.clear();
        self.world.fakes.http.on(HttpMethod::Get, &format!("http://{name}/*"), ScriptedHttp::response(200, proof));
        self.post(challenge["url"].as_str().unwrap(), Some(json!({}))).await.expect(200);
        self.world.engine.step().await.unwrap();
        let ready = self.read(&url).await.expect(200);
        assert_eq!(ready["status"], "ready");
        ready
    }

    /// The same client, at another server.
    async fn at<'w>(&self, world: &'w World, seed: u64) -> Client<'w> {
        let mut client = Client::stranger(world, seed).await;
        client.kid.clone_from(&self.kid);
        client
    }
}

/// Of everything that is revoked.
async fn reasons(world: &World) -> Vec<RevocationReason> {
    let view = world.engine.storage().read(View::Latest).await.unwrap();
    let rows = view.list(Query::<Revocation>::all()).await.unwrap().records;
    rows.iter().map(|row| row.reason).collect()
}

#[tokio::test]
async fn the_newest_version_takes_the_certificate_with_it_and_an_older_one_does_not() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let (_, _, old) = client.obtain(&["a.example"], 2).await;
    let (_, _, new) = client.obtain(&["a.example"], 3).await;
    let old = leaf(&old);
    let revoked = client.revoke(&old, Some(4)).await;
    assert_eq!((revoked.status.as_u16(), revoked.text.as_str()), (200, ""));
    assert_eq!(managed(&world).await["status"], "Active");
    assert_eq!(problem(&client.revoke(&old, None).await, 400), "alreadyRevoked");
    let new = leaf(&new);
    assert_eq!(client.revoke(&new, Some(1)).await.status.as_u16(), 200);
    let certificate = managed(&world).await;
    assert_eq!(
        (&certificate["status"], &certificate["revocation_reason"]),
        (&json!("Revoked"), &json!("keyCompromise"))
    );
    assert_eq!(problem(&client.revoke(&new, Some(1)).await, 400), "alreadyRevoked");
    // The names are free for another certificate.
    client.obtain(&["a.example"], 4).await;
    assert_eq!(world.get("/api/v1/certificates").await.expect(200)["total"], 2);
}

#[tokio::test]
async fn what_is_on_hold_is_revoked_for_good_and_no_release_makes_it_good_again() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let (_, _, old) = client.obtain(&["a.example"], 2).await;
    let (_, _, new) = client.obtain(&["a.example"], 3).await;
    let (old, new) = (leaf(&old), leaf(&new));
    let id = managed(&world).await["id"].as_str().unwrap().to_owned();
    let (revoke, release) = (format!("/api/v1/certificates/{id}/revoke"), format!("/api/v1/certificates/{id}/release"));
    let hold = json!({ "reason": "certificateHold" });
    world.post(&revoke, hold.clone()).await.expect(200);
    // An older version alone: the rest stays on hold.
    assert_eq!(client.revoke(&old, Some(1)).await.status.as_u16(), 200);
    assert_eq!(problem(&client.revoke(&old, Some(1)).await, 400), "alreadyRevoked");
    assert_eq!(managed(&world).await["revocation_reason"], "certificateHold");
    world.post(&release, json!({})).await.expect(200);
    assert_eq!(managed(&world).await["status"], "Active");
    assert_eq!(reasons(&world).await, [RevocationReason::KeyCompromise]);
    // The newest one, and so the certificate.
    world.post(&revoke, hold).await.expect(200);
    assert_eq!(client.revoke(&new, Some(1)).await.status.as_u16(), 200);
    assert_eq!(managed(&world).await["revocation_reason"], "keyCompromise");
    assert_eq!(world.post(&release, json!({})).await.problem(409), "not_on_hold");
    assert_eq!(problem(&client.revoke(&new, Some(1)).await, 400), "alreadyRevoked");
    assert_eq!(reasons(&world).await, [RevocationReason::KeyCompromise; 2]);
}

#[tokio::test]
async fn what_was_archived_is_revoked_once() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let (_, _, chain) = client.obtain(&["a.example"], 2).await;
    let id = managed(&world).await["id"].as_str().unwrap().to_owned();
    world.delete(&format!("/api/v1/certificates/{id}")).await.expect(204);
    assert_eq!(client.revoke(&leaf(&chain), Some(4)).await.status.as_u16(), 200);
    assert_eq!(reasons(&world).await, [RevocationReason::Superseded]);
    assert_eq!(problem(&client.revoke(&leaf(&chain), None).await, 400), "alreadyRevoked");
}

#[tokio::test]
async fn a_compromised_key_takes_all_its_versions_with_it_and_is_not_certified_again() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let names = ["a.example"];
    // Two versions with one key, and a newer one with another.
    let (_, _, first) = client.obtain(&names, 2).await;
    let (_, _, second) = client.obtain(&names, 2).await;
    let (_, _, third) = client.obtain(&names, 3).await;
    assert_eq!(client.revoke(&leaf(&first), Some(1)).await.status.as_u16(), 200);
    assert_eq!(reasons(&world).await, [RevocationReason::KeyCompromise; 2]);
    assert_eq!(problem(&client.revoke(&leaf(&second), Some(1)).await, 400), "alreadyRevoked");
    assert_eq!(managed(&world).await["status"], "Active");
    let (_, order) = client.order(&names).await;
    assert_eq!(problem(&client.finalize(&order, &csr(&names, 2).await).await, 400), "badPublicKey");
    // Nor through another door.
    let asked = SubjectNames::new("a.example", &["a.example".to_owned()]).unwrap();
    let own = pki::csr::build(&asked, &*key(KeyAlgorithm::EcdsaP256, 2).await).await.unwrap().to_pem();
    let path = format!("/api/v1/certificates/{}/csr", managed(&world).await["id"].as_str().unwrap());
    assert_eq!(world.post(&path, json!({ "csr_pem": own })).await.problem(409), "key_compromised");
    // The order is good for another key: here that of the version before, which is the newest then.
    client.finalize(&order, &csr(&names, 3).await).await.expect(200);
    assert_eq!(client.revoke(&leaf(&third), Some(1)).await.status.as_u16(), 200);
    let certificate = managed(&world).await;
    assert_eq!(
        (&certificate["status"], &certificate["revocation_reason"]),
        (&json!("Revoked"), &json!("keyCompromise"))
    );
    assert_eq!(reasons(&world).await, [RevocationReason::KeyCompromise; 4]);
    let (_, order) = client.order(&names).await;
    for seed in [2, 3] {
        assert_eq!(problem(&client.finalize(&order, &csr(&names, seed).await).await, 400), "badPublicKey");
    }
    client.finalize(&order, &csr(&names, 4).await).await.expect(200);
}

#[tokio::test]
async fn another_reason_leaves_other_versions_with_the_key_and_a_revoked_certificate_keeps_its_key() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let names = ["a.example"];
    let (_, _, first) = client.obtain(&names, 2).await;
    let (_, _, second) = client.obtain(&names, 2).await;
    assert_eq!(client.revoke(&leaf(&first), Some(4)).await.status.as_u16(), 200);
    assert_eq!(reasons(&world).await, [RevocationReason::Superseded]);
    assert_eq!(client.revoke(&leaf(&second), Some(4)).await.status.as_u16(), 200);
    let (_, order) = client.order(&names).await;
    assert_eq!(problem(&client.finalize(&order, &csr(&names, 2).await).await, 400), "badCSR");
    client.finalize(&order, &csr(&names, 3).await).await.expect(200);
}

#[tokio::test]
async fn whoever_has_the_key_may_and_strangers_may_not() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let (_, order) = client.order(&["a.example"]).await;
    let own = key(KeyAlgorithm::EcdsaP256, 2).await;
    let valid = client.finalize(&order, &csr_with(&["a.example"], &*own).await).await.expect(200);
    let der = leaf(&client.read(valid["certificate"].as_str().unwrap()).await.text);
    // Where accounts are trusted, authorizations prove nothing about what others have.
    let other = Client::new(&world, 3).await;
    other.obtain(&["a.example"], 4).await;
    assert_eq!(problem(&other.revoke(&der, None).await, 403), "unauthorized");
    let mut stranger = Client::stranger(&world, 5).await;
    assert_eq!(problem(&stranger.revoke(&der, None).await, 403), "unauthorized");
    stranger.key = own;
    assert_eq!(stranger.revoke(&der, Some(1)).await.status.as_u16(), 200);
}

#[tokio::test]
async fn an_account_that_has_proven_all_names_may() {
    let world = World::acme(serving(AcmeAuthMode::Challenge)).await;
    world.fakes.http.handle(|_, _| Some(Ok(ScriptedHttp::response(404, ""))));
    let first = Client::new(&world, 1).await;
    let second = Client::new(&world, 2).await;
    let mut ders = Vec::new();
    for (client, seed) in [(&first, 3), (&second, 4)] {
        let order = client.proven("a.example").await;
        let own = key(KeyAlgorithm::EcdsaP256, seed).await;
        let valid = client.finalize(&order, &csr_with(&["a.example"], &*own).await).await.expect(200);
        ders.push(leaf(&client.read(valid["certificate"].as_str().unwrap()).await.text));
    }
    let third = Client::new(&world, 5).await;
    assert_eq!(problem(&third.revoke(&ders[0], None).await, 403), "unauthorized");
    assert_eq!(second.revoke(&ders[0], None).await.status.as_u16(), 200);
}

#[tokio::test]
async fn what_was_valid_by_trust_proves_nothing_once_challenges_are_asked_for() {
    let world = World::acme(serving(AcmeAuthMode::Challenge)).await;
    world.fakes.http.handle(|_, _| Some(Ok(ScriptedHttp::response(404, ""))));
    let holder = Client::new(&world, 1).await;
    let valid = holder.finalize(&holder.proven("a.example").await, &csr(&["a.example"], 2).await).await.expect(200);
    let der = leaf(&holder.read(valid["certificate"].as_str().unwrap()).await.text);
    // A server on the same store whose directory trusts, as this one's did yesterday.
    let trusting = world.replica_with(|builder| builder.acme(serving(AcmeAuthMode::TrustAuthenticated))).await;
    let trusted = Client::new(&trusting, 3).await;
    let (url, order) = trusted.order(&["a.example"]).await;
    assert_eq!(order["status"], "ready");
    let other = trusted.at(&world, 3).await;
    assert_eq!(problem(&other.finalize(&order, &csr(&["a.example"], 4).await).await, 403), "orderNotReady");
    assert_eq!(problem(&other.revoke(&der, None).await, 403), "unauthorized");
    // Where accounts are trusted, that order is good.
    let valid = trusted.finalize(&order, &csr(&["a.example"], 4).await).await.expect(200);
    assert_eq!(valid["status"], "valid");
    assert_eq!(other.read(&url).await.expect(200)["status"], "valid");
    assert_eq!(problem(&other.revoke(&der, None).await, 403), "unauthorized");
    // Who proves the name may.
    other.proven("a.example").await;
    assert_eq!(other.revoke(&der, None).await.status.as_u16(), 200);
}

#[tokio::test]
async fn what_is_no_certificate_of_the_server_or_no_reason_is_refused() {
    let world = trusting().await;
    let client = Client::new(&world, 1).await;
    let (_, _, chain) = client.obtain(&["a.example"], 2).await;
    let der = leaf(&chain);
    for reason in [2, 6, 7, 8, 10, 11, 255] {
        assert_eq!(problem(&client.revoke(&der, Some(reason)).await, 400), "badRevocationReason", "{reason}");
    }
    assert_eq!(problem(&client.revoke(b"no certificate", None).await, 400), "malformed");
    let url = client.url("revoke-cert");
    for payload in [json!({}), json!({ "certificate": "a b" }), json!({ "certificate": encode(&der), "reason": -1 })] {
        assert_eq!(problem(&client.post(&url, Some(payload)).await, 400), "malformed");
    }
    // What came through another door is none of this one's.
    world.certificate("shop", json!({})).await;
    let sent = json!({ "csr_pem": own_csr("shop", 9).await });
    world.post("/api/v1/certificates/shop/csr", sent).await.expect(202);
    let versions = world.get("/api/v1/certificates/shop/versions").await.expect(200);
    let pem = versions["data"][0]["pem_chain"].as_str().unwrap().to_owned();
    let mut holder = Client::stranger(&world, 1).await;
    holder.key = key(KeyAlgorithm::EcdsaP256, 9).await;
    assert_eq!(problem(&holder.revoke(&leaf(&pem), None).await, 404), "malformed");
}
