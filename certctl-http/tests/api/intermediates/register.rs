//! CAs that there are already, and what is refused of them.

use std::time::Duration;

use certctl_core::domain::{KeyAlgorithm, NameConstraints, NameSubtrees, Serial, Timestamp};
use certctl_core::pki::certificate::{self, Authority, AuthorityRequest, DistinguishedName};
use certctl_core::pki::private_key;
use certctl_core::ports::{GeneratedKey, Keys};
use certctl_core::testing::{ManualClock, SeededRng, TestKeys};

use super::*;

const DAY: Duration = Duration::from_hours(24);

/// A CA that was made elsewhere.
struct Elsewhere {
    der: Vec<u8>,
    key: GeneratedKey,
}

impl Elsewhere {
    fn pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.der)
    }

    fn key_pem(&self) -> String {
        private_key::to_pem(&self.key.pkcs8).to_string()
    }
}

/// What is asked of one.
#[derive(Clone, Copy)]
struct Wish {
    name: &'static str,
    seed: u64,
    path_length: Option<u8>,
    not_after: Timestamp,
}

const ROOT: Wish = Wish {
    name: "Old Root",
    seed: 100,
    path_length: None,
    not_after: Timestamp(ManualClock::START.0 + 86_400_000_000_000),
};
const SUB: Wish = Wish { name: "Old Sub CA", seed: 200, path_length: Some(0), ..ROOT };

async fn elsewhere(wish: Wish, above: Option<&Elsewhere>) -> Elsewhere {
    let rng = SeededRng::new(wish.seed);
    let key = TestKeys.generate(KeyAlgorithm::EcdsaP256, &rng).await.unwrap();
    let request = AuthorityRequest {
        subject: DistinguishedName { common_name: wish.name.to_owned(), ..DistinguishedName::default() },
        spki: key.signer.public_key().to_vec(),
        serial: Serial::random(&rng),
        not_before: ManualClock::START - DAY,
        not_after: wish.not_after,
        path_length: wish.path_length,
        crl_urls: Vec::new(),
        ocsp_urls: Vec::new(),
        ca_issuer_urls: Vec::new(),
    };
    let der = match above {
        None => certificate::root(&request).unwrap().sign(&*key.signer).await.unwrap(),
        Some(above) => {
            let constraints = NameConstraints {
                permitted: NameSubtrees { dns: vec!["example.com".into()], ..NameSubtrees::default() },
                excluded: NameSubtrees { ip: vec!["10.0.0.0/8".into()], ..NameSubtrees::default() },
            };
            let authority = Authority::from_certificate(&above.der).unwrap();
            let unsigned = certificate::subordinate_within(&request, &constraints, &authority).unwrap();
            unsigned.sign(&*above.key.signer).await.unwrap()
        }
    };
    Elsewhere { der, key }
}

#[tokio::test]
async fn a_root_without_its_key_stands_above_a_ca_that_signs() {
    let world = World::new().await;
    let root = elsewhere(ROOT, None).await;
    let sub = elsewhere(SUB, Some(&root)).await;
    let known = json!({ "id": "ica-root", "name": "Old root", "certificate_pem": root.pem() });
    let known = make(&world, known).await.expect(201);
    assert_eq!(
        (&known["has_key"], &known["subject"], &known["state"]),
        (&json!(false), &json!("CN=Old Root"), &json!("active"))
    );
    assert!(known.get("path_length").is_none() && known.get("parent_id").is_none(), "{known}");
    let body = json!({
        "id": "ica-sub", "name": "Old sub", "certificate_pem": sub.pem(), "private_key_pem": sub.key_pem(),
    });
    let kept = make(&world, body).await.expect(201);
    assert_eq!(
        (&kept["parent_id"], &kept["has_key"], &kept["path_length"]),
        (&json!("ica-root"), &json!(true), &json!(0))
    );
    assert_eq!(
        (&kept["name_constraints"]["permitted"]["dns"], &kept["name_constraints"]["excluded"]["ip"]),
        (&json!(["example.com"]), &json!(["10.0.0.0/8"]))
    );
    assert_eq!(Chain::from_pem(kept["chain_pem"].as_str().unwrap()).unwrap().certificates(), [sub.der, root.der]);
    assert!(!kept.to_string().contains("PRIVATE"), "a key is not shown");
    assert_eq!(world.get("/api/v1/intermediates/ica-sub").await.expect(200), kept);
    let events = world.get("/api/v1/audit?action=intermediate_ca_registered").await.expect(200);
    assert_eq!(events["total"], 2);
    assert!(!events.to_string().contains("PRIVATE"));

    // It signs as one that was made here, and its chain leads to the root.
    let sign_with = async |id: &str| {
        let change = json!({ "config": { "signing_ca": id } });
        world.put("/api/v1/issuers/iss-local", change).await.expect(200);
        world.post("/api/v1/issuers/iss-local/test", json!({})).await
    };
    sign_with("ica-sub").await.expect(200);
    world.certificate("mc-1", json!({})).await;
    let request = json!({ "csr_pem": csr("mc-1", 1).await });
    world.post("/api/v1/certificates/mc-1/csr", request).await.expect(202);
    let exported = world.get("/api/v1/certificates/mc-1/export/pem").await.expect(200);
    let issued = Chain::from_pem(exported["full_pem"].as_str().unwrap()).unwrap();
    chain::check_links(&issued, world.engine.ports().clock.now()).unwrap();
    assert_eq!(issued.issuers()[0], Chain::from_pem(kept["certificate_pem"].as_str().unwrap()).unwrap().leaf());

    // What has no key here signs nothing, neither leaves nor CAs.
    assert_eq!(sign_with("ica-root").await.problem(422), "connection_failed");
    let below = json!({ "name": "Below", "parent_id": "ica-root" });
    assert_eq!(make(&world, below).await.problem(409), "no_key");
    assert_eq!(world.fetch("/.well-known/pki/crl/ica-root").await.status, 501);
    // One that stands above an active one stays.
    let retire = world.post("/api/v1/intermediates/ica-root/retire", json!({})).await;
    assert_eq!(retire.problem(409), "has_active_children");
}

#[tokio::test]
async fn a_ca_brings_what_stands_above_it_or_has_the_issuers_own_above() {
    let world = World::new().await;
    let root = elsewhere(ROOT, None).await;
    let sub = elsewhere(SUB, Some(&root)).await;
    let both = format!("{}{}", sub.pem(), root.pem());
    let kept = make(&world, json!({ "name": "Both", "certificate_pem": both })).await.expect(201);
    assert!(kept.get("parent_id").is_none(), "nobody who is kept here stands above it");
    assert_eq!(kept["chain_pem"].as_str().unwrap().matches("BEGIN").count(), 2);

    let config = json!({ "ca_cert_pem": root.pem(), "ca_key_pem": root.key_pem() });
    world
        .post("/api/v1/issuers", json!({ "id": "iss-old", "name": "old", "type": "GenericCA", "config": config }))
        .await
        .expect(201);
    let path = "/api/v1/issuers/iss-old/intermediates";
    let body = json!({ "name": "Sub", "certificate_pem": sub.pem(), "private_key_pem": sub.key_pem() });
    // The issuer's CA is opened with its first use.
    assert_eq!(check_problem(&world.post(path, body.clone()).await, 400)["errors"][0]["code"], "incomplete_chain");
    world.post("/api/v1/issuers/iss-old/test", json!({})).await.expect(200);
    let kept = world.post(path, body.clone()).await.expect(201);
    assert_eq!(kept["chain_pem"].as_str().unwrap().matches("BEGIN").count(), 2);
    assert_eq!(world.post(path, body).await.problem(409), "already_exists");
}

#[tokio::test]
async fn what_is_no_ca_or_does_not_verify_is_refused() {
    let world = World::new().await;
    let root = elsewhere(ROOT, None).await;
    let sub = elsewhere(SUB, Some(&root)).await;
    let (other, twin) =
        (elsewhere(Wish { seed: 300, ..SUB }, Some(&root)).await, elsewhere(Wish { seed: 400, ..ROOT }, None).await);
    let narrow = elsewhere(Wish { seed: 500, name: "Narrow Root", path_length: Some(0), ..ROOT }, None).await;
    let deep = elsewhere(Wish { seed: 600, ..SUB }, Some(&narrow)).await;
    let past = ManualClock::START - DAY / 2;
    let ended = elsewhere(Wish { seed: 700, not_after: past, ..ROOT }, None).await;
    world.issued("mc-leaf", 1).await;
    let leaf = world.get("/api/v1/certificates/mc-leaf/export/pem").await.expect(200)["full_pem"].clone();
    let with = |members: &[(&str, &str)]| {
        let mut body = json!({ "name": "No" });
        for (name, text) in members {
            body[*name] = json!(text);
        }
        body
    };
    let damaged = {
        let mut der = sub.der.clone();
        let last = der.len() - 1;
        der[last] ^= 1;
        format!("{}{}", pem::encode("CERTIFICATE", &der), root.pem())
    };
    let joined = |one: &Elsewhere, two: &Elsewhere| format!("{}{}", one.pem(), two.pem());
    let key_in = format!("{}{}", root.pem(), root.key_pem());
    for (body, pointer, code) in [
        (with(&[("certificate_pem", "no PEM")]), "/certificate_pem", "bad_certificate"),
        (with(&[("certificate_pem", &key_in)]), "/certificate_pem", "bad_certificate"),
        (with(&[("certificate_pem", leaf.as_str().unwrap())]), "/certificate_pem", "not_a_ca"),
        (with(&[("certificate_pem", &ended.pem())]), "/certificate_pem", "not_valid_now"),
        (with(&[("certificate_pem", &sub.pem())]), "/certificate_pem", "incomplete_chain"),
        (with(&[("certificate_pem", &joined(&root, &sub))]), "/certificate_pem", "not_above"),
        // A root of the same name, with another key.
        (with(&[("certificate_pem", &joined(&sub, &twin))]), "/certificate_pem", "not_above"),
        (with(&[("certificate_pem", &damaged)]), "/certificate_pem", "not_above"),
        (with(&[("certificate_pem", &joined(&deep, &narrow))]), "/certificate_pem", "path_invalid"),
        (with(&[("certificate_pem", &root.pem()), ("private_key_pem", "no PEM")]), "/private_key_pem", "bad_key"),
        (
            with(&[("certificate_pem", &joined(&sub, &root)), ("private_key_pem", &other.key_pem())]),
            "/private_key_pem",
            "other_key",
        ),
        (with(&[("private_key_pem", &root.key_pem())]), "/private_key_pem", "not_allowed"),
        (with(&[("certificate_pem", &root.pem()), ("common_name", "Other")]), "/common_name", "not_allowed"),
        (with(&[("certificate_pem", &root.pem()), ("parent_id", "ica-none")]), "/parent_id", "unknown_reference"),
        (with(&[("certificate_pem", &root.pem()), ("id", "system")]), "/id", "reserved"),
    ] {
        assert_eq!(wrong(&world, body.clone()).await, (pointer.to_owned(), code.to_owned()), "{body}");
    }
    // Authorities go by the ids of those that they belong to, so none is another's.
    let taken = json!({ "id": "iss-local", "name": "No", "certificate_pem": root.pem() });
    assert_eq!(make(&world, taken).await.problem(409), "already_exists");
    make(&world, json!({ "id": "ica-made", "name": "Made" })).await.expect(201);
    let issuer = json!({ "id": "ica-made", "name": "made", "type": "GenericCA" });
    assert_eq!(world.post("/api/v1/issuers", issuer).await.problem(409), "already_exists");
    let wrong_parent = json!({ "name": "No", "certificate_pem": joined(&sub, &root), "parent_id": "ica-made" });
    assert_eq!(wrong(&world, wrong_parent).await, ("/parent_id".to_owned(), "not_signed_by".to_owned()));
    assert_eq!(world.get(HERE).await.expect(200)["total"], 1, "nothing half done");
}

#[tokio::test]
async fn nothing_is_registered_below_a_ca_that_is_revoked_however_far() {
    let world = World::new().await;
    let root = elsewhere(ROOT, None).await;
    let top = elsewhere(Wish { name: "Old Top CA", path_length: Some(2), ..SUB }, Some(&root)).await;
    let middle = elsewhere(Wish { name: "Old Middle CA", seed: 300, path_length: Some(1), ..SUB }, Some(&top)).await;
    let low = elsewhere(Wish { seed: 400, ..SUB }, Some(&middle)).await;
    let ca = |id: &str, pem: String| json!({ "id": id, "name": id, "certificate_pem": pem });
    let with_key = json!({
        "id": "ica-root", "name": "root", "certificate_pem": root.pem(), "private_key_pem": root.key_pem(),
    });
    make(&world, with_key).await.expect(201);
    make(&world, ca("ica-top", top.pem())).await.expect(201);
    world.post("/api/v1/intermediates/ica-top/revoke", json!({})).await.expect(200);
    let refused = make(&world, ca("ica-low", low.pem() + &middle.pem())).await;
    let error = &check_problem(&refused, 400)["errors"][0];
    assert_eq!((&error["pointer"], &error["code"]), (&json!("/certificate_pem"), &json!("revoked")), "{error}");
    assert!(error["detail"].as_str().unwrap().contains("ica-top"), "{error}");
}
