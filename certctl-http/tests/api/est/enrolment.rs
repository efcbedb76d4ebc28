//! What machines are given.

use std::time::Duration;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use certctl_core::domain::{KeyAlgorithm, SCHEMAS, SubjectNames};
use certctl_core::entity::Value as Cell;
use certctl_core::ports::{Keys, Secret};
use certctl_core::storage::{Select, View};
use certctl_core::testing::{SeededRng, TestKeys};
use certctl_core::{domain::pem, pki};
use certctl_http::{EstAccess, EstTrust};
use serde_json::{Value, json};

use super::{Call, Door, Machine, PASSWORD, bag, by_password, named, request, signed};
use crate::world::{ADMIN, World};

/// Octets as they are, in hexadecimal, and in base64: in the middle of something longer that has three forms, and its ends depend on
/// the neighbours.
fn forms(octets: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![octets.to_vec(), hex::encode(octets).into_bytes(), hex::encode_upper(octets).into_bytes()];
    for before in 0..3 {
        let shifted = [vec![0; before].as_slice(), octets].concat();
        let text = STANDARD_NO_PAD.encode(shifted);
        forms.push(text.as_bytes()[if before == 0 { 0 } else { 4 }..text.len() - 4].to_vec());
    }
    forms
}

/// Whether a place has one of these forms; lines of text are read as one.
fn has(place: &[u8], forms: &[Vec<u8>]) -> bool {
    let unfolded: Vec<u8> = place.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    [place, &unfolded]
        .iter()
        .any(|place| forms.iter().any(|form| place.windows(form.len()).any(|part| part == form.as_slice())))
}

impl World {
    /// Whether these octets are in a cell of the store or in an answer.
    async fn shows(&self, octets: &[u8]) -> bool {
        let forms = forms(octets);
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        for schema in SCHEMAS {
            let (tests, after) = (Vec::new(), None);
            let all = Select { schema, tests, sort: 0, descending: false, after, offset: 0, limit: usize::MAX };
            let rows = view.select(&all).await.unwrap();
            if rows.iter().flat_map(|row| &row.values).any(|cell| match cell {
                Cell::Text(text) => has(text.as_bytes(), &forms),
                Cell::Bytes(bytes) => has(bytes, &forms),
                Cell::Null | Cell::Boolean(_) | Cell::Integer(_) => false,
            }) {
                return true;
            }
        }
        for path in ["/api/v1/certificates", "/api/v1/audit?per_page=100", "/api/v1/jobs"] {
            if has(&self.get(path).await.octets, &forms) {
                return true;
            }
        }
        false
    }

    async fn all(&self, path: &str) -> Vec<Value> {
        self.get(path).await.expect(200)["data"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn the_ca_is_told_to_whoever_asks() {
    let door = Door::open(vec![by_password(), named("phones", EstAccess::Certificate(EstTrust::Issuer))]).await;
    let chain = door.get("/.well-known/est/cacerts").await.certificates();
    let root = pki::certificate::parse(chain.leaf()).unwrap();
    assert!(root.is_ca && root.is_self_issued);
    assert_eq!(door.get("/.well-known/est/phones/cacerts").await.certificates(), chain);
    // A bearer key is not looked at, whatever it is.
    let sent = Call {
        headers: &[("authorization", "Bearer nonsense")],
        method: "GET",
        ..Call::post("/.well-known/est/cacerts", b"")
    };
    assert_eq!(door.send(sent).await.status, 200);
}

#[tokio::test]
async fn what_requests_should_hold_is_told() {
    let strict = certctl_http::EstProfile { channel_binding_required: true, ..named("bound", by_password().access) };
    let mut anything = named("any", by_password().access);
    anything.terms.profile_id = Some("prof-any".parse().unwrap());
    let door = Door::open(vec![by_password(), strict, anything]).await;
    let any = json!({ "id": "prof-any", "name": "any", "allowed_key_algorithms": [] });
    door.world.post("/api/v1/profiles", any).await.expect(201);
    let asked = door.get("/.well-known/est/csrattrs").await;
    assert_eq!((asked.status, asked.header("content-type")), (200, Some("application/csrattrs")));
    assert_eq!(asked.header("content-transfer-encoding"), Some("base64"));
    let der = |body: &str| hex::encode(STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap());
    // ECDSA P-256, RSA 2048, Ed25519: the default profile.
    let keys = "301506072a8648ce3d0201310a06082a8648ce3d030107301106092a864886f70d0101013104020208000603\
                2b6570";
    let keys = keys.replace(' ', "");
    assert_eq!(der(&asked.text()), format!("302f{keys}"));
    let bound = der(&door.get("/.well-known/est/bound/csrattrs").await.text());
    assert_eq!(bound, format!("303a06092a864886f70d010907{keys}"));
    let nothing = door.get("/.well-known/est/any/csrattrs").await;
    assert_eq!((nothing.status, nothing.body.len()), (204, 0));
}

#[tokio::test]
async fn a_machine_enrols_and_is_in_the_inventory() {
    let mut profile = by_password();
    profile.terms.tags.insert("site".into(), "north".into());
    profile.terms.environment = "field".into();
    let door = Door::open(vec![profile]).await;
    let (key, csr) = request(1, &["router.example.com", "10.0.0.1"]).await;
    let chain = door.enrol("/.well-known/est/simpleenroll", &csr).await.certificates();
    let facts = pki::certificate::parse(chain.leaf()).unwrap();
    assert!(pki::key::are_same(&facts.spki, key.signer.public_key()));
    assert_eq!(facts.names.san_texts(), ["router.example.com", "10.0.0.1"]);
    assert_eq!(chain.certificates().len(), 2, "the certificate and its CA");
    let serial = facts.serial.to_string();
    let found = door.world.all("/api/v1/certificates").await;
    assert_eq!(found.len(), 1);
    let one = &found[0];
    assert_eq!((&one["name"], &one["status"]), (&json!("est/default/router.example.com"), &json!("Active")));
    assert_eq!((&one["tags"]["site"], &one["environment"]), (&json!("north"), &json!("field")));
    assert_eq!(one["serial_number"].as_str().unwrap(), serial);
    let audited = door.world.all("/api/v1/audit?per_page=100").await;
    let issued = audited.iter().find(|event| event["action"] == "certificate_issued").unwrap();
    assert_eq!(
        (&issued["actor"], &issued["actor_type"]),
        (&json!("est:default:router.example.com"), &json!("Machine"))
    );
    // Revoked as any other.
    let path = format!("/api/v1/certificates/{}/revoke", one["id"].as_str().unwrap());
    door.world.post(&path, json!({ "reason": "keyCompromise" })).await.expect(200);
    let again = door.enrol("/.well-known/est/simpleenroll", &csr).await.refused(403);
    assert!(again.contains("Revoked"), "{again}");
}

#[tokio::test]
async fn requests_come_as_base64_pem_or_der_under_several_types() {
    let door = Door::open(vec![by_password()]).await;
    let types =
        ["application/pkcs10", "Application/PKCS10; charset=us-ascii", "text/plain", "application/octet-stream"];
    for (seed, content_type) in types.into_iter().enumerate() {
        let (_, csr) = request(seed as u64 + 1, &[&format!("host-{seed}.example.com")]).await;
        let line = pki::est::encode(csr.der());
        let columns: Vec<&str> =
            line.as_bytes().chunks(64).map(|columns| std::str::from_utf8(columns).unwrap()).collect();
        assert!(columns.len() > 3);
        for body in [
            csr.to_pem().into_bytes(),
            line.clone().into_bytes(),
            columns.join("\r\n").into_bytes(),
            (columns.join("\n") + "\n").into_bytes(),
            csr.der().to_vec(),
        ] {
            let headers = [("content-type", content_type), ("content-transfer-encoding", "binary")];
            let call = Call { headers: &headers, ..Call::post("/.well-known/est/simpleenroll", &body) };
            door.send(call.password(PASSWORD)).await.certificates();
        }
    }
    let (_, csr) = request(9, &["plain.example.com"]).await;
    let call = Call { headers: &[], ..Call::post("/.well-known/est/simpleenroll", csr.der()) };
    door.send(call.password(PASSWORD)).await.certificates();
    // All forms of one request are one request.
    assert_eq!(door.world.all("/api/v1/certificates").await.len(), 5);
    assert_eq!(door.world.all("/api/v1/jobs").await.len(), 5);
}

#[tokio::test]
async fn a_machine_renews_by_the_certificate_that_it_has() {
    let door = Door::open(vec![by_password()]).await;
    let names = ["router.example.com", "www.router.example.com"];
    let first = door.machine(1, &names).await;
    door.world.fakes.clock.advance(Duration::from_secs(86_400 * 60));
    // With a new key, then with the same one.
    let (key, csr) = request(2, &names).await;
    let renew = |csr: &str, machine: &Machine| {
        let (csr, chain, key) = (csr.to_owned(), machine.chain.clone(), machine.key.clone());
        let door = &door;
        async move {
            let machine = Machine { key, chain };
            door.send(Call::post("/.well-known/est/simplereenroll", csr.as_bytes()).machine(&machine)).await
        }
    };
    let second = Machine { chain: renew(&csr.to_pem(), &first).await.certificates(), key };
    assert_ne!(second.chain.leaf(), first.chain.leaf());
    // The answer was lost: the same request is answered with the same certificate.
    assert_eq!(renew(&csr.to_pem(), &first).await.certificates(), second.chain);
    let same_key = signed(&second.key, &names).await;
    let third = renew(&same_key.to_pem(), &second).await.certificates();
    assert_ne!(third, second.chain);
    let found = door.world.all("/api/v1/certificates").await;
    assert_eq!(found.len(), 1);
    let path = format!("/api/v1/certificates/{}/versions", found[0]["id"].as_str().unwrap());
    assert_eq!(door.world.all(&path).await.len(), 3);
    // What is on hold, revoked or over renews nothing.
    let id = found[0]["id"].as_str().unwrap();
    let revoke = format!("/api/v1/certificates/{id}/revoke");
    door.world.post(&revoke, json!({ "reason": "certificateHold" })).await.expect(200);
    let (_, csr) = request(3, &names).await;
    assert!(renew(&csr.to_pem(), &second).await.refused(403).contains("it is revoked"));
    door.world.post(&format!("/api/v1/certificates/{id}/release"), json!({})).await.expect(200);
    door.world.fakes.clock.advance(Duration::from_secs(86_400 * 91));
    assert!(renew(&csr.to_pem(), &second).await.refused(403).contains("not trusted"));
    assert_eq!(door.world.all(&path).await.len(), 3);
}

#[tokio::test]
async fn a_request_waits_until_it_is_approved() {
    // Of one in a day, it can still be collected.
    let mut profile = certctl_http::EstProfile { per_day: Some(1), ..by_password() };
    profile.terms.profile_id = Some("prof-careful".parse().unwrap());
    let door = Door::open(vec![profile]).await;
    let careful = json!({ "id": "prof-careful", "name": "careful", "requires_approval": true });
    door.world.post("/api/v1/profiles", careful).await.expect(201);
    let (_, csr) = request(1, &["router.example.com"]).await;
    for _ in 0..3 {
        let waiting = door.enrol("/.well-known/est/simpleenroll", &csr).await;
        assert!(waiting.refused(202).contains("approve"));
        assert_eq!(waiting.header("retry-after"), Some("120"));
    }
    let jobs = door.world.all("/api/v1/jobs").await;
    assert_eq!((jobs.len(), &jobs[0]["status"]), (1, &json!("AwaitingApproval")));
    let approve = format!("/api/v1/jobs/{}/approve", jobs[0]["id"].as_str().unwrap());
    door.world.call(Method::POST, &approve, ADMIN, None).await.expect(200);
    door.world.engine.step().await.unwrap();
    door.enrol("/.well-known/est/simpleenroll", &csr).await.certificates();
    // Another one is rejected.
    let (_, csr) = request(2, &["switch.example.com"]).await;
    assert_eq!(door.enrol("/.well-known/est/simpleenroll", &csr).await.status, 202);
    let waiting = door.world.all("/api/v1/jobs?status=AwaitingApproval").await;
    let reject = format!("/api/v1/jobs/{}/reject", waiting[0]["id"].as_str().unwrap());
    door.world.post(&reject, json!({ "reason": "unknown device" })).await.expect(200);
    let refused = door.enrol("/.well-known/est/simpleenroll", &csr).await.refused(403);
    assert!(refused.contains("unknown device"), "{refused}");
}

#[tokio::test]
async fn a_key_is_made_for_a_machine_that_asks_and_kept_nowhere() {
    let profile = certctl_http::EstProfile { server_keygen: true, ..by_password() };
    let door = Door::open(vec![profile, named("other", by_password().access)]).await;
    let rsa = TestKeys.generate(KeyAlgorithm::Rsa { bits: 2048 }, &SeededRng::new(5)).await.unwrap();
    let csr = signed(&rsa, &["sensor.example.com"]).await;
    let reply = door.enrol("/.well-known/est/serverkeygen", &csr).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let boundary = reply.header("content-type").unwrap().strip_prefix("multipart/mixed; boundary=").unwrap().to_owned();
    let text = reply.text();
    let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
    assert_eq!((parts.len(), parts[0], parts[3]), (4, "", "--\r\n"));
    let part = |part: &str| {
        let (head, body) = part.split_once("\r\n\r\n").unwrap();
        (head.trim().to_owned(), body.strip_suffix("\r\n").unwrap().to_owned())
    };
    let ((key_head, key), (chain_head, chain)) = (part(parts[1]), part(parts[2]));
    assert!(key_head.contains("smime-type=server-generated-key") && key_head.contains("base64"), "{key_head}");
    assert!(chain_head.contains("smime-type=certs-only"), "{chain_head}");
    let chain = bag(chain.as_bytes());
    let enveloped = STANDARD.decode(key.split_whitespace().collect::<String>()).unwrap();
    let opened = opened(&enveloped, &rsa.pkcs8);
    let made = TestKeys.open(&opened).await.unwrap();
    let facts = pki::certificate::parse(chain.leaf()).unwrap();
    assert!(pki::key::are_same(&facts.spki, made.public_key()));
    assert_eq!(facts.names, SubjectNames::new("sensor.example.com", &[]).unwrap());
    // Neither in any cell of the store nor in an answer, in whole or the secret number of P-256 alone (RFC 5915). The certificate
    // is found, so these are the right places.
    let at = opened.windows(5).position(|five| five == [2, 1, 1, 4, 32]).unwrap() + 5;
    assert!(door.world.shows(chain.leaf()).await);
    for secret in [opened.as_slice(), &opened[at..at + 32]] {
        assert!(!door.world.shows(secret).await);
    }
    // Another key than RSA has nothing encrypted to it; where it is off there is no such operation.
    let (_, csr) = request(6, &["sensor.example.com"]).await;
    assert!(door.enrol("/.well-known/est/serverkeygen", &csr).await.refused(400).contains("RSA"));
    assert!(door.enrol("/.well-known/est/other/serverkeygen", &csr).await.refused(404).contains("makes no keys"));
    assert_eq!(door.world.all("/api/v1/certificates").await.len(), 1);
}

/// What OpenSSL decrypts.
#[expect(clippy::disallowed_methods, reason = "another program is asked")]
fn opened(enveloped: &[u8], pkcs8: &[u8]) -> Vec<u8> {
    let dir = std::env::temp_dir().join(format!("certctl-est-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = |name: &str, octets: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, octets).unwrap();
        path
    };
    let message = file("message.der", enveloped);
    let key = file("key.pem", pem::encode("PRIVATE KEY", pkcs8).as_bytes());
    let run = std::process::Command::new("openssl")
        .args(["cms", "-decrypt", "-inform", "DER", "-in"])
        .arg(&message)
        .arg("-inkey")
        .arg(&key)
        .args(["-binary"])
        .output()
        .unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    run.stdout
}

#[tokio::test]
async fn a_manufacturers_certificate_may_vouch_for_a_machine() {
    let (machine, trust) = super::foreign(20, &["serial-4711.maker.example"]).await;
    let password = || Secret::new(PASSWORD);
    let door = Door::open(vec![
        by_password(),
        named("maker", EstAccess::Certificate(trust.clone())),
        named("either", EstAccess::Either(password(), trust.clone())),
        named("both", EstAccess::Both(password(), trust)),
    ])
    .await;
    // That it was imported makes it none of ours.
    let import = json!({
        "pem": machine.chain.leaf_pem(), "owner_id": "o-default", "team_id": "team-default", "issuer_id": "iss-local",
        "renewal_policy_id": "rp-default",
    });
    assert_eq!(door.world.post("/api/v1/certificates/import", import).await.expect(200)["total_imported"], 1);
    // For names of its own choice.
    for (seed, path, password) in
        [(1, "maker", None), (2, "either", None), (3, "either", Some(PASSWORD)), (4, "both", Some(PASSWORD))]
    {
        let (_, csr) = request(seed, &[&format!("host-{seed}.example.com")]).await;
        let (path, body) = (format!("/.well-known/est/{path}/simpleenroll"), csr.to_pem());
        let call = Call { password, ..Call::post(&path, body.as_bytes()).machine(&machine) };
        door.send(call).await.certificates();
    }
    let audited = door.world.all("/api/v1/audit?per_page=100").await;
    let actors: Vec<&str> = audited
        .iter()
        .filter(|event| event["action"] == "certificate_issued")
        .map(|event| event["actor"].as_str().unwrap())
        .collect();
    assert!(actors.contains(&"est:maker:serial-4711.maker.example"), "{actors:?}");
    // It is no certificate of ours, so it renews nothing.
    let (_, csr) = request(5, &["serial-4711.maker.example"]).await;
    let body = csr.to_pem();
    let call = Call::post("/.well-known/est/maker/simplereenroll", body.as_bytes()).machine(&machine);
    assert!(door.send(call).await.refused(403).contains("not trusted"));
}
