//! The doors by which certificates are asked for: the API, EST, SCEP and ACME. Whatever comes through any of them is found by its
//! serial number, renewed, revoked, and answered for by OCSP and revocation lists.

use std::time::Duration;

use axum::http::Method;
use certctl_core::domain::pem;
use certctl_core::enrol::acme::AcmeAuthMode;
use certctl_core::pki::certificate;
use certctl_core::testing::scep::ScepClient;
use certctl_http::Options;
use serde_json::{Value, json};

use crate::acme::{self, serving};
use crate::est::{Call, Door, Machine, by_password, request};
use crate::ocsp::{Issued, Status};
use crate::scep::{PASSWORD, Scep, profile};
use crate::world::{World, csr};

/// Somebody who asks for certificates. Both give the DER certificate that they were handed.
trait Holder {
    /// What the inventory says of where it came from; nothing of what came through the API.
    const SOURCE: Option<&'static str>;
    /// Asks for a first certificate.
    async fn enrol(&mut self) -> Vec<u8>;
    /// Renews it, in the way that is proper for this door.
    async fn renew(&mut self) -> Vec<u8>;
}

/// An agent, whose certificates people ask for through the API.
struct Agent<'w> {
    world: &'w World,
    credential: String,
    seed: u64,
}

impl Agent<'_> {
    async fn certified(&mut self) -> Vec<u8> {
        self.seed += 1;
        let ask = json!({ "csr_pem": csr("by-api", self.seed).await, "certificate_id": "by-api" });
        let at = |path: &str| format!("/api/v1/agents/edge-1{path}");
        self.world.call(Method::POST, &at("/csr"), &self.credential, Some(ask)).await.expect(202);
        let picked =
            self.world.call(Method::GET, &at("/certificates/by-api"), &self.credential, None).await.expect(200);
        der(&picked["certificate_pem"])
    }
}

impl Holder for Agent<'_> {
    const SOURCE: Option<&'static str> = None;

    async fn enrol(&mut self) -> Vec<u8> {
        self.world.certificate("by-api", json!({ "agent_id": "edge-1" })).await;
        self.certified().await
    }

    async fn renew(&mut self) -> Vec<u8> {
        self.world.post("/api/v1/certificates/by-api/renew", json!({})).await.expect(202);
        self.certified().await
    }
}

/// A machine that speaks EST, and what it has.
struct EstMachine {
    door: Door,
    has: Option<Machine>,
}

impl Holder for EstMachine {
    const SOURCE: Option<&'static str> = Some("EST");

    async fn enrol(&mut self) -> Vec<u8> {
        let machine = self.has.insert(self.door.machine(1_000, &["by-est.example.com"]).await);
        machine.chain.leaf().to_vec()
    }

    async fn renew(&mut self) -> Vec<u8> {
        let (key, csr) = request(1_001, &["by-est.example.com"]).await;
        let body = csr.to_pem();
        let call = Call::post("/.well-known/est/simplereenroll", body.as_bytes());
        let chain = self.door.send(call.machine(self.has.as_ref().unwrap())).await.certificates();
        self.has.insert(Machine { key, chain }).chain.leaf().to_vec()
    }
}

/// A device that speaks SCEP, and what it has.
struct ScepDevice {
    scep: Scep,
    has: ScepClient,
}

impl Holder for ScepDevice {
    const SOURCE: Option<&'static str> = Some("SCEP");

    async fn enrol(&mut self) -> Vec<u8> {
        let first = self.scep.enrolled(&self.has, "by-scep").await;
        self.has = self.has.with(&first);
        first
    }

    async fn renew(&mut self) -> Vec<u8> {
        let next = self.scep.client().await;
        let second = self.scep.renewed(&self.has, &next, "by-scep").await;
        self.has = next.with(&second);
        second
    }
}

/// An ACME client.
struct AcmeClient<'w> {
    client: acme::Client<'w>,
    seed: u64,
}

impl Holder for AcmeClient<'_> {
    const SOURCE: Option<&'static str> = Some("ACME");

    async fn enrol(&mut self) -> Vec<u8> {
        self.renew().await
    }

    /// By a further order for the same names.
    async fn renew(&mut self) -> Vec<u8> {
        self.seed += 1;
        acme::leaf(&self.client.obtain(&["by-acme.example.com"], self.seed).await.2)
    }
}

/// The first certificate of a PEM text.
fn der(text: &Value) -> Vec<u8> {
    pem::parse(text.as_str().unwrap(), 1 << 20).unwrap().remove(0).der
}

impl World {
    /// The certificate of the inventory whose newest version has this serial number.
    async fn by_serial(&self, serial: &str) -> Value {
        let all = self.get("/api/v1/certificates?per_page=500").await.expect(200);
        let mut found = all["data"].as_array().unwrap().iter().filter(|one| one["serial_number"] == serial);
        let one = found.next().unwrap_or_else(|| panic!("{serial} is not in the inventory: {all}"));
        assert!(found.next().is_none(), "{serial} is there twice");
        one.clone()
    }

    /// Looks a certificate up by what was handed out; gives its id, and how relying parties know it.
    async fn in_the_inventory(&self, leaf: &[u8], source: Option<&str>) -> (String, Issued) {
        let serial = certificate::parse(leaf).unwrap().serial;
        let found = self.by_serial(&serial.to_string()).await;
        assert_eq!((found.get("source").and_then(Value::as_str), &found["status"]), (source, &json!("Active")));
        let id = found["id"].as_str().unwrap().to_owned();
        let versions = self.get(&format!("/api/v1/certificates/{id}/versions")).await.expect(200);
        let of = versions["data"].as_array().unwrap().iter().find(|one| one["serial_number"] == serial.to_string());
        assert_eq!(der(&of.unwrap()["pem_chain"]), leaf, "what was handed out is what is kept");
        let exported = self.get(&format!("/api/v1/certificates/{id}/export/pem")).await.expect(200);
        (id, Issued { serial, ca: der(&exported["chain_pem"]) })
    }

    /// Which of the numbers the revocation list of the issuer names.
    async fn listed(&self, issued: [&Issued; 2]) -> [bool; 2] {
        let list = self.list("/.well-known/pki/crl/iss-local").await;
        issued.map(|issued| list.serials().contains(&issued.serial.to_string().as_str()))
    }
}

async fn lives<H: Holder>(world: &World, mut holder: H) {
    let first = holder.enrol().await;
    let (id, first) = world.in_the_inventory(&first, H::SOURCE).await;
    assert_eq!(world.status_of(&first).await, Status::Good);

    // Long enough that a request is no repetition.
    world.after(Duration::from_hours(48)).await;
    let second = holder.renew().await;
    let (same, second) = world.in_the_inventory(&second, H::SOURCE).await;
    assert_eq!(same, id, "a renewal is a version of the same certificate");
    assert_ne!(second.serial, first.serial);
    for version in [&first, &second] {
        assert_eq!(world.status_of(version).await, Status::Good);
    }
    assert_eq!(world.listed([&first, &second]).await, [false, false]);

    world.revoke(&id, json!({ "reason": "keyCompromise" })).await.expect(200);
    for version in [&first, &second] {
        let status = world.status_of(version).await;
        assert!(matches!(status, Status::Revoked(_, 1)), "{status:?}");
    }
    world.after(Duration::from_mins(1)).await;
    assert_eq!(world.listed([&first, &second]).await, [true, true]);
    assert_eq!(world.by_serial(&second.serial.to_string()).await["status"], "Revoked");
}

#[tokio::test]
async fn what_comes_through_any_door_is_found_renewed_revoked_and_answered_for() {
    let scep = vec![profile("default", Some(PASSWORD), None)];
    let options = Options { est: vec![by_password()], scep, ..Options::default() };
    let acme = serving(AcmeAuthMode::TrustAuthenticated);
    let world = World::with_doors(options, |builder| builder.acme(acme)).await;

    let credential = world.agent("edge-1").await;
    lives(&world, Agent { world: &world, credential, seed: 0 }).await;
    let door = Door::around(world.clone(), |tls| tls).await;
    lives(&world, EstMachine { door, has: None }).await;
    let scep = Scep::around(world.clone()).await;
    let has = scep.client().await;
    lives(&world, ScepDevice { scep, has }).await;
    let client = acme::Client::new(&world, 1).await;
    lives(&world, AcmeClient { client, seed: 2_000 }).await;
}
