//! `/scep-mtls`: the same for those alone who show a client certificate that the profile trusts.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Method;
use certctl_core::domain::{Chain, KeyAlgorithm, SubjectNames};
use certctl_core::pki::csr;
use certctl_core::ports::Keys;
use certctl_core::scep::ScepProfile;
use certctl_core::testing::{SeededRng, TestKeys};
use certctl_http::{EstTrust, Options, TrustBundle};
use serde_json::json;

use super::{Asked, PASSWORD, Scep, names, profile};
use crate::est::{Call, Content, Door, Machine, foreign};
use crate::world::World;

const PATH: &str = "/scep-mtls?operation=PKIOperation";

/// A server that trusts these in its profile `default`, and nobody in its profile `once`.
async fn trusting(bundle: TrustBundle, default: ScepProfile) -> (Scep, Door) {
    let options = Options {
        scep: vec![default, profile("once", None, None)],
        scep_clients: BTreeMap::from([("default".to_owned(), bundle)]),
        ..Options::default()
    };
    let world = World::with_real_keys(options).await;
    let door = Door::around(world.clone(), |tls| tls).await;
    (Scep::around(world).await, door)
}

fn bundle(trust: EstTrust) -> TrustBundle {
    match trust {
        EstTrust::Bundle(bundle) => bundle,
        EstTrust::Issuer => panic!("no bundle"),
    }
}

fn get<'a>(path: &'a str, machine: Option<&'a Machine>) -> Call<'a> {
    Call { method: "GET", machine, headers: &[], body: Content::Of(b""), ..Call::post(path, b"") }
}

#[tokio::test]
async fn a_client_certificate_is_asked_for_besides() {
    let (trusted, trust) = foreign(40, &["phone.example.com"]).await;
    let (stranger, _) = foreign(41, &["stranger.example.com"]).await;
    let (scep, door) = trusting(bundle(trust), profile("default", Some(PASSWORD), None)).await;
    for path in ["/scep-mtls?operation=GetCACaps", "/scep-mtls?operation=GetCACert", "/scep-mtls/default"] {
        let text = door.send(get(path, None)).await.refused(403);
        assert!(text.contains("show a client certificate"), "{text}");
        let text = door.send(get(path, Some(&stranger))).await.refused(403);
        assert!(text.contains("not trusted"), "{text}");
        // Nobody can show one without TLS.
        assert_eq!(scep.world.fetch(path).await.status.as_u16(), 403);
    }
    let caps = door.send(get("/scep-mtls/default?operation=GetCACaps", Some(&trusted))).await;
    assert_eq!(caps.text(), scep.world.fetch("/scep?operation=GetCACaps").await.text);
    let given = door.send(get("/scep-mtls?operation=GetCACert", Some(&trusted))).await;
    assert_eq!(given.body, scep.world.fetch("/scep?operation=GetCACert").await.octets);

    let device = scep.client().await;
    let message = async |challenge: Option<&str>, transaction: &str| {
        let content = device.request(&names("phone"), challenge).await;
        scep.message(&device, &scep.authority, &Asked { content, ..Asked::new("19", transaction) }).await
    };
    let right = message(Some(PASSWORD), "right").await;
    for machine in [None, Some(&stranger)] {
        door.send(Call { machine, ..Call::post(PATH, &right) }).await.refused(403);
    }
    assert_eq!(scep.versions().await, 0);
    // The certificate is no password.
    for (challenge, status) in [(None, "2"), (Some("swordfisch"), "2"), (Some(PASSWORD), "0")] {
        let transaction = format!("{challenge:?}");
        let message = message(challenge, &transaction).await;
        let reply = door.send(Call::post(PATH, &message).machine(&trusted)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let told = device.read(&reply.body, &scep.authority, &*scep.world.fakes.rng).await;
        assert_eq!(told.status, status, "{challenge:?}");
    }
    assert_eq!(scep.versions().await, 1);

    for (path, status) in [("/scep-mtls/once?operation=GetCACaps", 404), ("/scep-mtls/none?operation=GetCACaps", 404)] {
        door.send(get(path, Some(&trusted))).await.refused(status);
    }
    assert_eq!(scep.world.call(Method::PUT, "/scep-mtls", "", None).await.status.as_u16(), 405);
    let events = scep.world.get("/api/v1/audit?action=enrolment_refused&per_page=100").await.expect(200);
    let refused = events["data"].as_array().unwrap().iter().filter(|event| event["resource_id"] == "scep-mtls/default");
    let details: Vec<_> = refused.map(|event| event["details"].clone()).collect();
    assert_eq!(details.len(), 4, "those who tried with a certificate that is not trusted: {events}");
    assert!(details.iter().all(|of| of["reason"] == "credential" && of["source"] == "SCEP"), "{details:?}");
    assert!(details.iter().all(|of| of["address"] == "127.0.0.1"), "{details:?}");
}

#[tokio::test]
async fn who_tries_with_wrong_certificates_waits() {
    let (trusted, trust) = foreign(40, &["phone.example.com"]).await;
    let (stranger, _) = foreign(41, &["stranger.example.com"]).await;
    let few = ScepProfile { failures_per_hour: 3, ..profile("default", Some(PASSWORD), None) };
    let (scep, door) = trusting(bundle(trust), few).await;
    let caps = "/scep-mtls?operation=GetCACaps";
    for _ in 0..3 {
        door.send(get(caps, Some(&trusted))).await;
        door.send(get(caps, None)).await.refused(403);
        door.send(get(caps, Some(&stranger))).await.refused(403);
    }
    for machine in [&trusted, &stranger] {
        let late = door.send(get(caps, Some(machine))).await;
        late.refused(429);
        assert_eq!(late.header("retry-after"), Some("3600"));
    }
    scep.world.fakes.clock.advance(Duration::from_hours(1));
    assert_eq!(door.send(get(caps, Some(&trusted))).await.status, 200);
}

#[tokio::test]
async fn a_certificate_of_our_own_that_is_revoked_counts_no_more() {
    let (scep, door) = trusting(TrustBundle::of(Vec::new()), profile("default", Some(PASSWORD), None)).await;
    let machine = phone(&scep.world).await;
    let caps = "/scep-mtls?operation=GetCACaps";
    door.send(get(caps, Some(&machine))).await.refused(403);
    // The server trusts its own CA from now on.
    let root = machine.chain.certificates()[1].clone();
    let (scep, door) = again(&scep, root).await;
    assert_eq!(door.send(get(caps, Some(&machine))).await.status, 200);
    for (reason, ends) in [("certificateHold", true), ("keyCompromise", false)] {
        scep.world.revoke("phone", json!({ "reason": reason })).await.expect(200);
        let text = door.send(get(caps, Some(&machine))).await.refused(403);
        assert!(text.contains("revoked"), "{text}");
        if ends {
            scep.world.post("/api/v1/certificates/phone/release", json!({})).await.expect(200);
            assert_eq!(door.send(get(caps, Some(&machine))).await.status, 200);
        }
    }
}

#[tokio::test]
async fn a_certificate_below_a_ca_of_our_own_that_is_revoked_counts_no_more() {
    let (scep, _) = trusting(TrustBundle::of(Vec::new()), profile("default", Some(PASSWORD), None)).await;
    let sign_with = async |id: &str| {
        let change = json!({ "config": { "signing_ca": id } });
        scep.world.put("/api/v1/issuers/iss-local", change).await.expect(200);
    };
    let made = json!({ "id": "ica-1", "name": "One" });
    scep.world.post("/api/v1/issuers/iss-local/intermediates", made).await.expect(201);
    sign_with("ica-1").await;
    let machine = phone(&scep.world).await;
    sign_with("").await;
    let certificates = machine.chain.certificates();
    assert_eq!(certificates.len(), 3);
    let caps = "/scep-mtls?operation=GetCACaps";
    // Whether the root is trusted, or the CA in the middle.
    let (_, below_root) = again(&scep, certificates[2].clone()).await;
    let (_, below_middle) = again(&scep, certificates[1].clone()).await;
    for door in [&below_root, &below_middle] {
        assert_eq!(door.send(get(caps, Some(&machine))).await.status, 200);
    }
    scep.world.post("/api/v1/intermediates/ica-1/revoke", json!({ "reason": "keyCompromise" })).await.expect(200);
    for door in [&below_root, &below_middle] {
        let text = door.send(get(caps, Some(&machine))).await.refused(403);
        assert!(text.contains("a CA above it is revoked"), "{text}");
    }
}

/// Somebody with a certificate of the inventory, `phone`, that is for TLS clients.
async fn phone(world: &World) -> Machine {
    let clients = json!({ "id": "prof-client", "name": "client", "allowed_ekus": ["clientAuth"] });
    world.post("/api/v1/profiles", clients).await.expect(201);
    world.certificate("phone", json!({ "certificate_profile_id": "prof-client" })).await;
    let key = TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(50)).await.unwrap();
    let asked = SubjectNames::new("phone.example.com", &["www.phone.example.com".into()]).unwrap();
    let csr = csr::build(&asked, &*key.signer).await.unwrap().to_pem();
    world.post("/api/v1/certificates/phone/csr", json!({ "csr_pem": csr })).await.expect(202);
    let exported = world.get("/api/v1/certificates/phone/export/pem").await.expect(200);
    let chain = Chain::from_pem(exported["full_pem"].as_str().unwrap()).unwrap();
    Machine { key, chain }
}

/// The same engine behind a router that trusts this CA.
async fn again(scep: &Scep, root: Vec<u8>) -> (Scep, Door) {
    let options = Options {
        scep: vec![profile("default", Some(PASSWORD), None)],
        scep_clients: BTreeMap::from([("default".to_owned(), TrustBundle::of(vec![root]))]),
        ..Options::default()
    };
    let router = certctl_http::router(scep.world.engine.clone(), options);
    let world = World { router, ..scep.world.clone() };
    let door = Door::around(world.clone(), |tls| tls).await;
    (Scep::around(world).await, door)
}
