//! Devices that know nothing newer than SHA-1 and triple DES: served where a profile says so, and nowhere else.

use certctl_core::domain::Chain;
use certctl_core::pki::certificate;
use certctl_core::pki::cms::Strength;
use certctl_core::scep::ScepProfile;
use certctl_core::testing::scep::{MessageParts, OldDevice, ScepReply};
use certctl_http::Options;
use serde_json::json;

use super::{Asked, MESSAGE, NONCE, PASSWORD, Scep, authority, empty_names, names, post, profile};
use crate::world::World;

/// A server with a profile for old devices, the same with approvals, and one for others.
async fn server() -> Scep {
    let old = |profile: ScepProfile| ScepProfile { strength: Strength::Legacy, ..profile };
    let scep = vec![
        profile("default", Some(PASSWORD), None),
        old(profile("old", Some(PASSWORD), None)),
        old(profile("careful", Some(PASSWORD), Some("prof-careful"))),
    ];
    let world = World::with_real_keys(Options { scep, ..Options::default() }).await;
    let careful = json!({ "id": "prof-careful", "name": "careful", "requires_approval": true });
    world.post("/api/v1/profiles", careful).await.expect(201);
    Scep::around(world).await
}

async fn device(scep: &Scep) -> OldDevice {
    let ports = scep.world.engine.ports();
    OldDevice::new(&*ports.keys, &*ports.rng, ports.clock.now()).await
}

/// A message of an old device to a profile, and the answer.
async fn ask(scep: &Scep, device: &OldDevice, path: &str, (kind, content): (&str, &[u8])) -> ScepReply {
    let authority: Chain = authority(&scep.world, path).await;
    let rng = &*scep.world.fakes.rng;
    let to = authority.leaf();
    let parts =
        MessageParts { message_type: kind, transaction: "an old one", nonce: NONCE, content, to, signed_at: None };
    let answer = post(&scep.world, path, device.message(parts, rng)).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, MESSAGE), "{}", answer.text);
    device.read(&answer.octets, &authority, rng).await
}

#[tokio::test]
async fn an_old_device_enrols_where_that_is_allowed() {
    let scep = server().await;
    let device = device(&scep).await;
    let request = device.request(&names("old"), Some(PASSWORD));
    let refused = ask(&scep, &device, "/scep", ("19", &request)).await;
    assert_eq!((refused.status.as_str(), refused.fail_info.as_deref()), ("2", Some("0")));
    // Nor does a message that is newer make an old request good.
    let content = request.clone();
    let refused = scep.ask(&device.client, Asked { content, ..Asked::new("19", "half old") }).await;
    assert_eq!((refused.status.as_str(), refused.fail_info.as_deref()), ("2", Some("1")));
    // Without a message around it there is no way but the newer one.
    for path in ["/scep", "/scep/old"] {
        assert_eq!(post(&scep.world, path, request.clone()).await.status.as_u16(), 400, "{path}");
    }
    assert_eq!(scep.versions().await, 0);

    let mut forged = request.clone();
    *forged.last_mut().unwrap() ^= 1;
    let refused = ask(&scep, &device, "/scep/old", ("19", &forged)).await;
    assert_eq!((refused.status.as_str(), refused.fail_info.as_deref()), ("2", Some("1")));
    let issued = ask(&scep, &device, "/scep/old", ("19", &request)).await;
    assert_eq!(issued.status, "0", "{:?}", issued.text);
    let facts = certificate::parse(&issued.certificates[0]).unwrap();
    assert_eq!((facts.names, facts.spki.as_slice()), (names("old"), device.client.signer.public_key()));
}

#[tokio::test]
async fn the_request_of_an_old_device_may_wait() {
    let scep = server().await;
    let device = device(&scep).await;
    let request = device.request(&names("old"), Some(PASSWORD));
    assert_eq!(ask(&scep, &device, "/scep/careful", ("19", &request)).await.status, "3");
    let jobs = scep.world.get("/api/v1/jobs?status=AwaitingApproval").await.expect(200);
    let job = jobs["data"][0]["id"].as_str().unwrap().to_owned();
    scep.world.post(&format!("/api/v1/jobs/{job}/approve"), json!({})).await.expect(200);
    for _ in 0..20 {
        scep.world.engine.step().await.unwrap();
    }
    let reply = ask(&scep, &device, "/scep/careful", ("20", &empty_names())).await;
    assert_eq!(reply.status, "0", "{:?}", reply.text);
    assert_eq!(certificate::parse(&reply.certificates[0]).unwrap().spki, device.client.signer.public_key());
}
