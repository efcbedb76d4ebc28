//! OCSP: what is told of certificates, to whom, and how soon.

mod der;
mod memory;

use axum::body::Body;
use axum::http::{Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl_core::domain::{Serial, pem};
use certctl_core::pki::certificate::{self, Authority};
use certctl_core::pki::ocsp::{IdHash, IssuerHashes, Written};
use certctl_core::testing::ScriptedIssuer;
use certctl_http::Options;
use serde_json::{Value, json};

use crate::world::{Answer, World, csr};
pub(crate) use der::Status;
use der::{Told, request, status, told};

const OCSP: &str = "/.well-known/pki/ocsp/iss-local";

/// A certificate that was issued: as whoever meets it knows it.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) serial: Serial,
    pub(crate) ca: Vec<u8>,
}

impl Issued {
    fn id_by(&self, written: Written) -> Vec<u8> {
        let hashes = IssuerHashes::of(&Authority::from_certificate(&self.ca).unwrap()).unwrap();
        hashes.cert_id(written, &self.serial.to_integer())
    }

    fn id(&self) -> Vec<u8> {
        self.id_by(Written::USUAL)
    }

    /// One that was never issued, by the same CA.
    fn other(&self, serial: u8) -> Self {
        Self { serial: Serial::from_magnitude(&[serial]).unwrap(), ..self.clone() }
    }
}

impl World {
    /// Makes a certificate and has it issued.
    async fn met(&self, id: &str, seed: u64) -> Issued {
        self.issued(id, seed).await;
        self.known(id).await
    }

    async fn known(&self, id: &str) -> Issued {
        let exported = self.get(&format!("/api/v1/certificates/{id}/export/pem")).await.expect(200);
        let der = |member: &str| pem::parse(exported[member].as_str().unwrap(), 1 << 20).unwrap().remove(0).der;
        Issued { serial: certificate::parse(&der("cert_pem")).unwrap().serial, ca: der("chain_pem") }
    }

    async fn post_ocsp(&self, path: &str, body: &[u8]) -> Answer {
        let request = Request::post(path).header("content-type", "application/ocsp-request");
        let answer = self.send(request.body(Body::from(body.to_vec())).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/ocsp-response"));
        answer
    }

    async fn ask_ocsp(&self, issued: &Issued) -> Told {
        self.ask_ocsp_at(OCSP, issued).await
    }

    async fn ask_ocsp_at(&self, path: &str, issued: &Issued) -> Told {
        told(&self.post_ocsp(path, &request(&[issued.id()], None)).await.octets, &issued.ca)
    }

    pub(crate) async fn status_of(&self, issued: &Issued) -> Status {
        self.status_at(OCSP, issued).await
    }

    /// What the responder at this path says.
    pub(crate) async fn status_at(&self, path: &str, issued: &Issued) -> Status {
        let mut told = self.ask_ocsp_at(path, issued).await;
        assert_eq!(told.certificates.len(), 1);
        let (id, status) = told.certificates.remove(0);
        assert_eq!(id, issued.id(), "the answer is about something else");
        status
    }
}

fn escaped(text: &str) -> String {
    text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

#[tokio::test]
async fn what_is_known_is_told_from_its_first_moment_on() {
    let world = World::new().await;
    let one = world.met("mc-1", 1).await;
    assert_eq!(world.status_of(&one).await, Status::Good);
    assert_eq!(world.status_of(&one.other(7)).await, Status::Unknown);
    // A number that was unknown a moment ago is issued.
    let two = world.met("mc-2", 2).await;
    assert_eq!(world.status_of(&two).await, Status::Good);
    for (verb, reason, code) in [("hold", "certificateHold", 6), ("for good", "keyCompromise", 1)] {
        world.revoke("mc-1", json!({ "reason": reason })).await.expect(200);
        let told = world.status_of(&one).await;
        assert_eq!(told, Status::Revoked("20300101000000Z".into(), code), "{verb}");
        assert_eq!(world.status_of(&two).await, Status::Good);
    }
    world.revoke("mc-2", json!({ "reason": "certificateHold" })).await.expect(200);
    assert!(matches!(world.status_of(&two).await, Status::Revoked(_, 6)));
    world.post("/api/v1/certificates/mc-2/release", json!({})).await.expect(200);
    assert_eq!(world.status_of(&two).await, Status::Good);
    world.revoke("mc-2", json!({})).await.expect(200);
    assert!(matches!(world.status_of(&two).await, Status::Revoked(_, 0)), "nobody writes `unspecified`");
}

#[tokio::test]
async fn every_way_of_asking_is_answered() {
    let world = World::new().await;
    let one = world.met("mc-1", 1).await;
    for hash in IdHash::ALL {
        for null in [true, false] {
            let id = one.id_by(Written { hash, null });
            let asked = request(std::slice::from_ref(&id), None);
            let posted = world.post_ocsp(OCSP, &asked).await;
            assert_eq!(told(&posted.octets, &one.ca).certificates, [(id, Status::Good)], "{hash:?}");
            let text = STANDARD.encode(&asked);
            let unpadded = text.trim_end_matches('=').to_owned();
            for path in [text.clone(), escaped(&text), unpadded, text.replace('+', "-").replace('/', "_")] {
                let got = world.fetch(&format!("{OCSP}/{path}")).await;
                assert_eq!(got.status, 200);
                // It was signed once: everybody is given the same.
                assert_eq!(got.octets, posted.octets, "{path}");
            }
        }
    }
    let serial = one.serial.to_string();
    let colons: Vec<&str> = serial.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
    for path in [serial.clone(), serial.to_uppercase(), colons.join(":"), format!("{serial:0>40}")] {
        let got = world.fetch(&format!("{OCSP}/{path}")).await;
        assert_eq!((got.status.as_u16(), got.header("content-type")), (200, "application/ocsp-response"));
        assert_eq!(told(&got.octets, &one.ca).certificates, [(one.id(), Status::Good)]);
    }
    for never in ["1", "0", "00:00", &"f".repeat(40)] {
        let got = told(&world.fetch(&format!("{OCSP}/{never}")).await.octets, &one.ca);
        assert_eq!(got.certificates[0].1, Status::Unknown, "{never}");
    }
    // A key is not asked for, and one that is no good is not looked at.
    let path = format!("{OCSP}/{serial}");
    assert_eq!(world.call(Method::GET, &path, "wrong", None).await.status, 200);
    assert_eq!(world.call(Method::HEAD, &path, "", None).await.octets, b"");
}

#[tokio::test]
async fn an_issuer_answers_for_its_own_alone() {
    let world =
        World::built(|builder| builder.connectors(certctl_connectors::registry().issuer::<ScriptedIssuer>())).await;
    let one = world.met("mc-1", 1).await;
    for (id, kind) in [("iss-2", "GenericCA"), ("iss-3", "Scripted")] {
        let issuer = json!({ "id": id, "name": id, "type": kind, "config": {} });
        world.post("/api/v1/issuers", issuer).await.expect(201);
    }
    let asked = request(&[one.id()], None);
    for stranger in ["iss-2", "iss-3", "iss-none", "no%20id", "%ff"] {
        let path = format!("/.well-known/pki/ocsp/{stranger}");
        assert_eq!(status(&world.post_ocsp(&path, &asked).await.octets), 6, "{stranger}");
    }
    let md5 = der::tlv(0x30, &[&[6, 8, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5]]);
    let hash = der::tlv(4, &[&[0; 16]]);
    let by_md5 = der::tlv(0x30, &[&md5, &hash, &hash, &[2, 1, 1]]);
    let mixed = [one.id(), by_md5.clone()];
    for ids in [&[by_md5][..], &mixed] {
        assert_eq!(status(&world.post_ocsp(OCSP, &request(ids, None)).await.octets), 6);
    }
    // By serial number the protocol has no words for it, HTTP has.
    for (path, code) in [("iss-none", 404), ("no%20id", 404), ("iss-3", 501)] {
        let got = world.fetch(&format!("/.well-known/pki/ocsp/{path}/{}", one.serial)).await;
        assert_eq!((got.status.as_u16(), got.header("content-type")), (code, "text/plain; charset=utf-8"), "{path}");
    }
    // One that has issued nothing has a CA all the same, once somebody asks.
    let got = world.fetch("/.well-known/pki/ocsp/iss-2/01").await;
    assert_eq!((got.status.as_u16(), status(&got.octets)), (200, 0));
    assert_eq!(world.fetch("/api/v1/ocsp/iss-local/01").await.status, 404);
}

#[tokio::test]
async fn nonces_are_repeated_and_such_answers_kept_by_nobody() {
    let world = World::new().await;
    let one = world.met("mc-1", 1).await;
    for octets in [1, 16, 32, 33, 128] {
        let nonce = vec![u8::try_from(octets).unwrap(); octets];
        let asked = request(&[one.id()], Some(&nonce));
        let posted = told(&world.post_ocsp(OCSP, &asked).await.octets, &one.ca);
        assert_eq!((posted.nonce.as_deref(), &posted.certificates[0].1), (Some(&nonce[..]), &Status::Good));
        let got = world.fetch(&format!("{OCSP}/{}", escaped(&STANDARD.encode(&asked)))).await;
        assert_eq!(told(&got.octets, &one.ca).nonce, Some(nonce));
        assert_eq!((got.header("cache-control"), got.header("etag")), ("no-store", ""));
    }
    for octets in [0, 129] {
        let asked = request(&[one.id()], Some(&vec![7; octets]));
        assert_eq!(status(&world.post_ocsp(OCSP, &asked).await.octets), 1);
    }
    assert_eq!(world.ask_ocsp(&one).await.nonce, None);
}

#[tokio::test]
async fn many_are_asked_about_at_once() {
    let world = World::new().await;
    let (one, two) = (world.met("mc-1", 1).await, world.met("mc-2", 2).await);
    world.revoke("mc-2", json!({ "reason": "superseded" })).await.expect(200);
    let ids = [two.id(), one.other(9).id(), one.id(), two.id_by(Written { hash: IdHash::Sha256, null: false })];
    for nonce in [None, Some(&[1, 2, 3][..])] {
        let posted = told(&world.post_ocsp(OCSP, &request(&ids, nonce)).await.octets, &one.ca);
        let revoked = Status::Revoked("20300101000000Z".into(), 4);
        let expected = [revoked.clone(), Status::Unknown, Status::Good, revoked];
        let expected: Vec<_> = ids.iter().cloned().zip(expected).collect();
        assert_eq!((posted.certificates, posted.nonce.as_deref()), (expected, nonce));
    }
    let all: Vec<Vec<u8>> = (1..=64).map(|serial| one.other(serial).id()).collect();
    assert_eq!(told(&world.post_ocsp(OCSP, &request(&all, None)).await.octets, &one.ca).certificates.len(), 64);
    let more: Vec<Vec<u8>> = (1..=65).map(|serial| one.other(serial).id()).collect();
    assert_eq!(status(&world.post_ocsp(OCSP, &request(&more, None)).await.octets), 1);
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_as_the_protocol_has_it() {
    let world = World::new().await;
    let one = world.met("mc-1", 1).await;
    let good = request(&[one.id()], None);
    let mut bad: Vec<Vec<u8>> = (0..30).map(|place| good[..place * good.len() / 30].to_vec()).collect();
    bad.push([&good[..], &[0]].concat());
    bad.push(vec![0x30; 5_000]);
    bad.push([0x30, 0x80].repeat(4_000));
    bad.push([&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff][..], &good].concat());
    bad.push(request(&[], None));
    bad.push(request(&[vec![5, 0]], None));
    bad.push(b"serial=1".to_vec());
    bad.push(vec![0; 16 << 10]);
    bad.push(vec![0; (16 << 10) + 1]);
    bad.push(STANDARD.encode(&good).into_bytes());
    assert_eq!(bad.len(), 40);
    let malformed = [0x30, 3, 0x0a, 1, 1];
    let before = world.everything().await;
    for (place, body) in bad.iter().enumerate() {
        assert_eq!(world.post_ocsp(OCSP, body).await.octets, malformed, "number {place}");
        // Whatever is not a serial number there is a request.
        let text = STANDARD.encode(body);
        if !body.is_empty() && text.len() < 20_000 {
            let got = world.fetch(&format!("{OCSP}/{text}")).await;
            assert_eq!((got.status.as_u16(), &got.octets[..]), (200, &malformed[..]), "number {place}");
            assert_eq!(got.header("cache-control"), "no-store");
        }
    }
    for text in ["xyz", "%21", "a%20b!", "ff/ff", &"f".repeat(41)] {
        let got = world.fetch(&format!("{OCSP}/{text}")).await;
        assert_eq!((got.status.as_u16(), &got.octets[..]), (200, &malformed[..]), "{text}");
    }
    for media_type in [None, Some("application/json"), Some("application/ocsp-response"), Some("")] {
        let mut asked = Request::post(OCSP);
        if let Some(media_type) = media_type {
            asked = asked.header("content-type", media_type);
        }
        let got = world.send(asked.body(Body::from(good.clone())).unwrap()).await;
        assert_eq!((got.status.as_u16(), &got.octets[..]), (200, &malformed[..]), "{media_type:?}");
    }
    world.is_as_before(&before).await;
    let asked = Request::post(OCSP).header("content-type", "Application/OCSP-Request; x=y");
    assert_eq!(status(&world.send(asked.body(Body::from(good)).unwrap()).await.octets), 0);
}

#[tokio::test]
async fn an_address_may_ask_only_so_often() {
    let world = World::with(Options { ocsp_per_minute: Some(3), ..Options::default() }).await;
    let one = world.met("mc-1", 1).await;
    for _ in 0..3 {
        assert_eq!(world.status_of(&one).await, Status::Good);
    }
    let refused = world.post_ocsp(OCSP, &request(&[one.id()], None)).await;
    assert_eq!((status(&refused.octets), refused.header("retry-after")), (3, "20"));
    let refused = world.fetch(&format!("{OCSP}/{}", one.serial)).await;
    assert_eq!((refused.status.as_u16(), status(&refused.octets)), (200, 3));
    world.fakes.clock.advance(std::time::Duration::from_secs(20));
    assert_eq!(world.status_of(&one).await, Status::Good);
    // Nothing else is counted with it.
    assert_eq!(world.get("/api/v1/certificates").await.status, 200);
}

/// The certificate of a short-lived profile is good for as long as nobody revokes it.
#[tokio::test]
async fn short_lived_ones_are_good_unless_they_are_revoked() {
    let world = World::new().await;
    let profile = json!({ "id": "prof-short", "name": "short", "allow_short_lived": true, "max_ttl_seconds": 300 });
    world.post("/api/v1/profiles", profile).await.expect(201);
    let mut met = Vec::new();
    for (seed, id) in ["mc-1", "mc-2"].iter().enumerate() {
        world.certificate(id, json!({ "certificate_profile_id": "prof-short" })).await;
        let asked = json!({ "csr_pem": csr(id, seed as u64 + 1).await });
        world.post(&format!("/api/v1/certificates/{id}/csr"), asked).await.expect(202);
        met.push(world.known(id).await);
        assert_eq!(world.status_of(&met[seed]).await, Status::Good);
    }
    world.revoke("mc-2", json!({ "reason": "keyCompromise" })).await.expect(200);
    for _ in 0..2 {
        assert_eq!(world.status_of(&met[0]).await, Status::Good);
        assert!(matches!(world.status_of(&met[1]).await, Status::Revoked(_, 1)));
        // Also when they have ended.
        world.fakes.clock.advance(std::time::Duration::from_secs(3_600));
    }
}

/// The configuration of a CA that somebody has: a certificate and its key.
async fn given(seed: u64) -> Value {
    use certctl_core::domain::KeyAlgorithm;
    use certctl_core::pki::certificate::{AuthorityRequest, DistinguishedName};
    use certctl_core::pki::private_key;
    use certctl_core::ports::Keys;
    use certctl_core::testing::{ManualClock, SeededRng, TestKeys};
    let rng = SeededRng::new(seed);
    let key = TestKeys.generate(KeyAlgorithm::EcdsaP256, &rng).await.unwrap();
    let unsigned = certificate::root(&AuthorityRequest {
        subject: DistinguishedName { common_name: format!("Given {seed}"), ..DistinguishedName::default() },
        spki: key.signer.public_key().to_vec(),
        serial: Serial::random(&rng),
        not_before: ManualClock::START,
        not_after: ManualClock::START + std::time::Duration::from_hours(24 * 3650),
        path_length: None,
        crl_urls: vec![],
        ocsp_urls: vec![],
        ca_issuer_urls: vec![],
    });
    let der = unsigned.unwrap().sign(&*key.signer).await.unwrap();
    json!({
        "ca_cert_pem": pem::encode("CERTIFICATE", &der), "ca_key_pem": private_key::to_pem(&key.pkcs8).as_str(),
    })
}
