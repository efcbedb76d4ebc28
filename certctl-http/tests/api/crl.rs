//! Revocation lists over HTTP: what is listed, since when, and by whom.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use certctl_core::Engine;
use certctl_core::domain::{AuditEvent, CrlScope, KeyAlgorithm, SCHEMAS, Serial, Version, pem};
use certctl_core::engine::{CrlAnswer, PublicUrl, SetupSecret};
use certctl_core::pki::certificate::{self, AuthorityRequest, DistinguishedName};
use certctl_core::pki::private_key;
use certctl_core::ports::Keys;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{MemoryStorage, Query, View};
use certctl_core::testing::{FakePorts, ManualClock, ScriptedIssuer, SeededRng, TestKeys};
use certctl_http::client::Listing;
use futures_util::future::join;
use serde_json::{Value, json};

use crate::client::{InProcess, client};
use crate::world::{ADMIN, OPERATOR, World, csr};

const LOCAL: &str = "/.well-known/pki/crl/iss-local";
const HOUR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

/// A list, taken apart.
#[derive(Debug)]
pub(crate) struct List {
    number: u64,
    issuer: Vec<u8>,
    /// Serial numbers with their reason codes.
    entries: BTreeMap<String, Option<u8>>,
    /// The values of extensions by the last arc of 2.5.29.
    extensions: BTreeMap<u8, Vec<u8>>,
}

/// The tag, the contents, and what follows.
fn value(octets: &[u8]) -> (u8, &[u8], &[u8]) {
    let (header, length) = match octets[1] {
        short @ 0..0x80 => (2, usize::from(short)),
        long => {
            let count = usize::from(long & 0x7f);
            (2 + count, octets[2..2 + count].iter().fold(0, |length, octet| (length << 8) | usize::from(*octet)))
        }
    };
    let (whole, rest) = octets.split_at(header + length);
    (octets[0], &whole[header..], rest)
}

fn values(mut octets: &[u8]) -> Vec<(u8, &[u8])> {
    let mut all = Vec::new();
    while !octets.is_empty() {
        let (tag, contents, rest) = value(octets);
        all.push((tag, contents));
        octets = rest;
    }
    all
}

impl List {
    fn read(der: &[u8]) -> Self {
        let tbs = values(values(der)[0].1)[0].1;
        let fields = values(tbs);
        let number_of = |octets: &[u8]| octets.iter().fold(0, |number, octet| (number << 8) | u64::from(*octet));
        let extensions: BTreeMap<u8, Vec<u8>> = values(values(fields.last().unwrap().1)[0].1)
            .into_iter()
            .map(|(_, extension)| {
                let parts = values(extension);
                (*parts[0].1.last().unwrap(), parts.last().unwrap().1.to_vec())
            })
            .collect();
        // Behind version, algorithm, issuer and two moments.
        let entries = fields.get(5).filter(|(tag, _)| *tag == 0x30).map_or(Vec::new(), |(_, entries)| values(entries));
        let entries = entries.into_iter().map(|(_, entry)| {
            let parts = values(entry);
            let serial = Serial::from_integer(parts[0].1).unwrap().to_string();
            (serial, parts.get(2).map(|(_, extensions)| *extensions.last().unwrap()))
        });
        Self {
            number: number_of(values(&extensions[&20])[0].1),
            issuer: fields[2].1.to_vec(),
            entries: entries.collect(),
            extensions,
        }
    }

    pub(crate) fn serials(&self) -> Vec<&str> {
        self.entries.keys().map(String::as_str).collect()
    }

    fn base(&self) -> Option<u64> {
        let value = self.extensions.get(&27)?;
        Some(values(value)[0].1.iter().fold(0, |number, octet| (number << 8) | u64::from(*octet)))
    }
}

impl World {
    /// As relying parties ask: without a key.
    pub(crate) async fn list(&self, path: &str) -> List {
        let answer = self.fetch(path).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text);
        assert_eq!(answer.header("content-type"), "application/pkix-crl");
        List::read(&answer.octets)
    }

    /// Lets the loops do what is due after this time.
    pub(crate) async fn after(&self, time: Duration) {
        self.fakes.clock.advance(time);
        self.engine.step().await.unwrap();
    }

    async fn leaf(&self, id: &str) -> certctl_core::domain::CertificateFacts {
        let versions = self.get(&format!("/api/v1/certificates/{id}/versions")).await.expect(200);
        let blocks = pem::parse(versions["data"][0]["pem_chain"].as_str().unwrap(), 1 << 20).unwrap();
        certificate::parse(&blocks[0].der).unwrap()
    }

    async fn serial(&self, id: &str) -> String {
        self.leaf(id).await.serial.to_string()
    }

    /// Makes a certificate of this issuer and has it issued.
    async fn issued_by(&self, issuer: &str, id: &str, seed: u64) {
        self.certificate(id, json!({ "issuer_id": issuer })).await;
        let csr = json!({ "csr_pem": csr(id, seed).await });
        self.post(&format!("/api/v1/certificates/{id}/csr"), csr).await.expect(202);
    }

    async fn issuer(&self, id: &str, kind: &str, config: Value) {
        let issuer = json!({ "id": id, "name": id, "type": kind, "config": config });
        self.post("/api/v1/issuers", issuer).await.expect(201);
    }
}

async fn published() -> World {
    World::built(|builder| builder.public_url(PublicUrl::parse("http://pki.example.com/").unwrap())).await
}

/// The path of a URL below the public one.
fn below(url: &str) -> String {
    url.strip_prefix("http://pki.example.com").unwrap().to_owned()
}

/// A CA certificate and its key, in PEM.
async fn ca(name: &str, seed: u64) -> (String, String) {
    let key = TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(seed)).await.unwrap();
    let request = AuthorityRequest {
        subject: DistinguishedName { common_name: name.to_owned(), ..DistinguishedName::default() },
        spki: key.signer.public_key().to_vec(),
        serial: Serial::random(&SeededRng::new(seed + 1)),
        not_before: ManualClock::START,
        not_after: ManualClock::START + 1_000 * 24 * HOUR,
        path_length: None,
        crl_urls: Vec::new(),
        ocsp_urls: Vec::new(),
        ca_issuer_urls: Vec::new(),
    };
    let der = certificate::root(&request).unwrap().sign(&*key.signer).await.unwrap();
    (pem::encode("CERTIFICATE", &der), private_key::to_pem(&key.pkcs8).to_string())
}

#[tokio::test]
async fn a_list_is_answered_to_everybody_and_kept_by_caches() {
    let world = World::new().await;
    // Nothing was issued yet: there is no CA before somebody asks for it.
    let first = world.fetch(LOCAL).await;
    assert_eq!((first.status.as_u16(), first.header("content-type")), (200, "application/pkix-crl"));
    assert!(List::read(&first.octets).entries.is_empty());
    assert_eq!(first.header("cache-control"), "public, max-age=3600");
    let (tag, made) = (first.header("etag").to_owned(), first.header("last-modified").to_owned());
    assert_eq!(tag.len(), 66);
    assert_eq!(world.call(Method::GET, LOCAL, "no-such-key", None).await.octets, first.octets);

    let conditional = async |name: &str, value: &str| {
        let request = Request::get(LOCAL).header(name, value).body(Body::empty()).unwrap();
        world.send(request).await
    };
    for (name, value) in [("if-none-match", tag.as_str()), ("if-none-match", "*"), ("if-modified-since", &made)] {
        let unchanged = conditional(name, value).await;
        assert_eq!((unchanged.status.as_u16(), unchanged.octets.len()), (304, 0), "{name}: {value}");
        assert_eq!((unchanged.header("etag"), unchanged.header("content-type")), (tag.as_str(), ""));
    }
    for (name, value) in [("if-none-match", "\"other\""), ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT")] {
        assert_eq!(conditional(name, value).await.octets, first.octets);
    }
    let head = world.call(Method::HEAD, LOCAL, "", None).await;
    assert_eq!((head.status.as_u16(), head.octets.len(), head.header("etag")), (200, 0, tag.as_str()));
    assert_eq!(head.header("content-length"), first.octets.len().to_string());
    // Near its end it is kept no longer than it is valid.
    world.fakes.clock.advance(23 * HOUR + HOUR / 2);
    assert_eq!(world.fetch(LOCAL).await.header("cache-control"), "public, max-age=1800");
}

#[tokio::test]
async fn what_there_is_no_list_of_is_said_in_plain_words() {
    let world =
        World::built(|builder| builder.connectors(certctl_connectors::registry().issuer::<ScriptedIssuer>())).await;
    world.issuer("iss-far", "Scripted", json!({})).await;
    for (path, status) in [
        ("/.well-known/pki/crl/none", 404),
        ("/.well-known/pki/crl/iss-local/delta", 404),
        ("/.well-known/pki/crl/iss-local/shard/0", 404),
        ("/.well-known/pki/crl/iss-local/shard/first", 404),
        ("/.well-known/pki/crl/iss-far", 501),
        ("/.well-known/pki/crl/iss-far/delta", 501),
        ("/.well-known/pki/crl/a%20b", 400),
        ("/.well-known/pki/ca/none", 404),
        ("/.well-known/pki/ca/iss-far", 404),
        ("/.well-known/pki/ca/a%20b", 400),
    ] {
        let answer = world.fetch(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8", "{path}");
        assert!(answer.text.len() > 10 && !answer.header("x-request-id").is_empty());
    }
    // Where the predecessor had it there is nothing.
    world.fetch("/api/v1/crl/iss-local").await.problem(404);
    assert_eq!(world.call(Method::POST, LOCAL, "", None).await.status.as_u16(), 405);
}

#[tokio::test]
async fn a_revocation_is_listed_within_seconds_and_numbers_grow() {
    let world = World::new().await;
    for (seed, id) in (1..).zip(["mc-a", "mc-b", "mc-c"]) {
        world.issued(id, seed).await;
    }
    world.engine.step().await.unwrap();
    let empty = world.list(LOCAL).await;
    assert!(empty.entries.is_empty());
    world.revoke("mc-a", json!({ "reason": "keyCompromise" })).await.expect(200);
    world.revoke("mc-b", json!({ "reason": "certificateHold" })).await.expect(200);
    // They are waited for a moment, so that those that come together are in one list.
    world.engine.step().await.unwrap();
    assert_eq!(world.list(LOCAL).await.number, empty.number);
    world.after(2 * SECOND).await;
    let two = world.list(LOCAL).await;
    let (a, b) = (world.serial("mc-a").await, world.serial("mc-b").await);
    assert_eq!(two.entries, BTreeMap::from([(a.clone(), Some(1)), (b.clone(), Some(6))]));
    assert!(two.number > empty.number);
    // Nothing changed, so nothing is made.
    world.after(2 * SECOND).await;
    assert_eq!(world.list(LOCAL).await.number, two.number);
    world.post("/api/v1/certificates/mc-b/release", json!({})).await.expect(200);
    world.revoke("mc-c", json!({})).await.expect(200);
    world.after(2 * SECOND).await;
    let later = world.list(LOCAL).await;
    assert_eq!(later.entries, BTreeMap::from([(a, Some(1)), (world.serial("mc-c").await, None)]));
    assert!(later.number > two.number);
    assert_eq!(world.told("crl_generated").await, 3);
    let entries = world.get("/api/v1/admin/crl/cache").await.expect(200);
    assert_eq!(entries["total"], 1, "{entries}");
    let entry = &entries["data"][0];
    assert_eq!((&entry["issuer_id"], &entry["scope"]), (&json!("iss-local"), &json!("complete")));
    assert_eq!((&entry["crl_number"], &entry["revoked_count"]), (&json!(later.number), &json!(2)));
    assert!(entry["sha256"].is_string() && entry["last_error"].is_null() && entry["next_update"].is_string());
    world.call(Method::GET, "/api/v1/admin/crl/cache", OPERATOR, None).await.problem(403);
}

#[tokio::test]
async fn a_list_is_made_again_at_half_its_life() {
    let world = World::new().await;
    world.issued("mc-a", 1).await;
    world.engine.step().await.unwrap();
    let first = world.list(LOCAL).await;
    world.after(Duration::from_secs(12 * 3_600 - 1)).await;
    assert_eq!(world.list(LOCAL).await.number, first.number);
    world.after(SECOND).await;
    assert!(world.list(LOCAL).await.number > first.number);
    // Where no loop runs, whoever asks for one that has ended waits for the next.
    let before = world.list(LOCAL).await;
    world.fakes.clock.advance(25 * HOUR);
    assert!(world.list(LOCAL).await.number > before.number);
}

#[tokio::test]
async fn what_has_expired_is_listed_once_more_and_short_lives_never() {
    let world = World::new().await;
    world.issuer("iss-day", "GenericCA", json!({ "validity_days": 1 })).await;
    let profile = json!({ "id": "prof-short", "name": "short", "max_ttl_seconds": 1_800, "allow_short_lived": true });
    world.post("/api/v1/profiles", profile).await.expect(201);
    world.issued_by("iss-day", "mc-day", 1).await;
    world.certificate("mc-short", json!({ "issuer_id": "iss-day", "certificate_profile_id": "prof-short" })).await;
    let request = json!({ "csr_pem": csr("mc-short", 2).await });
    world.post("/api/v1/certificates/mc-short/csr", request).await.expect(202);
    world.revoke("mc-day", json!({})).await.expect(200);
    world.revoke("mc-short", json!({})).await.expect(200);
    let serial = world.serial("mc-day").await;
    let path = "/.well-known/pki/crl/iss-day";
    assert_eq!(world.list(path).await.serials(), [serial.as_str()]);
    for (hours, listed) in [(13, true), (12, true), (13, false)] {
        world.after(hours * HOUR).await;
        assert_eq!(!world.list(path).await.entries.is_empty(), listed, "after {hours} hours more");
    }
}

#[tokio::test]
async fn what_lives_long_is_listed_whatever_its_profile_is_now() {
    let world = World::new().await;
    world.issued_by("iss-local", "mc-long", 1).await;
    let profile = json!({ "id": "prof-short", "name": "short", "max_ttl_seconds": 1_800, "allow_short_lived": true });
    world.post("/api/v1/profiles", profile).await.expect(201);
    let change = json!({ "certificate_profile_id": "prof-short" });
    world.put("/api/v1/certificates/mc-long", change).await.expect(200);
    world.revoke("mc-long", json!({ "reason": "keyCompromise" })).await.expect(200);
    let serial = world.serial("mc-long").await;
    assert_eq!(world.list(LOCAL).await.serials(), [serial.as_str()]);
}

#[tokio::test]
async fn what_is_imported_keeps_the_shard_that_it_names() {
    let (world, other) = (published().await, published().await);
    world.issuer("iss-shards", "GenericCA", json!({ "crl_shards": 16 })).await;
    world.issued_by("iss-shards", "mc-1", 1).await;
    let versions = world.get("/api/v1/certificates/mc-1/versions").await.expect(200);
    let import = json!({
        "pem": versions["data"][0]["pem_chain"], "owner_id": "o-default", "team_id": "team-default",
        "issuer_id": "iss-local", "renewal_policy_id": "rp-default",
    });
    let told = other.post("/api/v1/certificates/import", import).await.expect(200);
    assert_eq!(told["total_imported"], 1, "{told}");
    let mut shards = Vec::new();
    for world in [world, other] {
        let view = world.engine.storage().read(View::Latest).await.unwrap();
        shards.push(view.first(Query::<Version>::all()).await.unwrap().unwrap().crl_shard);
    }
    assert!(shards[0].is_some());
    assert_eq!(shards[0], shards[1]);
}

#[tokio::test]
async fn changes_are_told_since_a_list_that_is_still_valid() {
    let world = published().await;
    world.issuer("iss-delta", "GenericCA", json!({ "crl_deltas": true })).await;
    for (seed, id) in (1..).zip(["mc-a", "mc-b", "mc-c"]) {
        world.issued_by("iss-delta", id, seed).await;
    }
    world.revoke("mc-a", json!({})).await.expect(200);
    // Changes are told from some minutes before the list that they are changes of.
    world.after(HOUR).await;
    let (complete, delta) = ("/.well-known/pki/crl/iss-delta", "/.well-known/pki/crl/iss-delta/delta");
    let base = world.list(complete).await;
    let freshest = &base.extensions[&46];
    assert!(String::from_utf8_lossy(freshest).contains("/delta"), "{freshest:?}");
    world.revoke("mc-b", json!({ "reason": "certificateHold" })).await.expect(200);
    world.revoke("mc-c", json!({ "reason": "superseded" })).await.expect(200);
    world.after(2 * SECOND).await;
    let (whole, changes) = (world.list(complete).await, world.list(delta).await);
    assert_eq!((changes.number, changes.base()), (whole.number, Some(base.number)));
    assert!(whole.base().is_none() && !changes.extensions.contains_key(&46));
    let (b, c) = (world.serial("mc-b").await, world.serial("mc-c").await);
    assert_eq!(changes.entries, BTreeMap::from([(b.clone(), Some(6)), (c.clone(), Some(4))]));
    assert_eq!(whole.entries.len(), 3);
    world.post("/api/v1/certificates/mc-b/release", json!({})).await.expect(200);
    world.after(2 * SECOND).await;
    let (whole, changes) = (world.list(complete).await, world.list(delta).await);
    assert_eq!(changes.entries, BTreeMap::from([(b.clone(), Some(8)), (c.clone(), Some(4))]));
    assert!(!whole.entries.contains_key(&b));
    // Held again, it is held.
    world.revoke("mc-b", json!({ "reason": "certificateHold" })).await.expect(200);
    world.after(2 * SECOND).await;
    assert_eq!(world.list(delta).await.entries[&b], Some(6));
    // After a day there is another base.
    world.after(25 * HOUR).await;
    let (whole, changes) = (world.list(complete).await, world.list(delta).await);
    assert_eq!(changes.base(), Some(whole.number));
}

#[tokio::test]
async fn certificates_name_where_the_ca_is_published() {
    let world = published().await;
    world.issued("mc-a", 1).await;
    let leaf = world.leaf("mc-a").await;
    let [crl] = leaf.crl_urls.as_slice() else { panic!("{:?}", leaf.crl_urls) };
    assert_eq!(leaf.ocsp_urls, ["http://pki.example.com/.well-known/pki/ocsp/iss-local"]);
    let versions = world.get("/api/v1/certificates/mc-a/versions").await.expect(200);
    let blocks = pem::parse(versions["data"][0]["pem_chain"].as_str().unwrap(), 1 << 20).unwrap();
    let ca_url = crl.replace("/crl/", "/ca/");
    assert!(blocks[0].der.windows(ca_url.len()).any(|window| window == ca_url.as_bytes()), "caIssuers");
    for path in [below(&ca_url), "/.well-known/pki/ca/iss-local".to_owned()] {
        let ca = world.fetch(&path).await;
        assert_eq!((ca.status.as_u16(), ca.header("content-type")), (200, "application/pkix-cert"));
        assert_eq!(ca.octets, blocks[1].der);
    }
    world.revoke("mc-a", json!({})).await.expect(200);
    assert_eq!(world.list(&below(crl)).await.serials(), [leaf.serial.to_string().as_str()]);
    // What its operator wrote of an issuer goes before what the server knows.
    world.issuer("iss-own", "GenericCA", json!({ "crl_urls": ["http://elsewhere.example/ca.crl"] })).await;
    world.issued_by("iss-own", "mc-b", 2).await;
    assert_eq!(world.leaf("mc-b").await.crl_urls, ["http://elsewhere.example/ca.crl"]);
}

#[tokio::test]
async fn a_certificate_names_its_shard_and_is_listed_there() {
    let world = published().await;
    world.issuer("iss-many", "GenericCA", json!({ "crl_shards": 3 })).await;
    let mut listed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for seed in 1..=12 {
        let id = format!("mc-{seed}");
        world.issued_by("iss-many", &id, seed).await;
        let leaf = world.leaf(&id).await;
        world.revoke(&id, json!({})).await.expect(200);
        listed.entry(leaf.crl_urls[0].clone()).or_default().push(leaf.serial.to_string());
    }
    assert!(listed.len() > 1, "{listed:?}");
    world.after(2 * SECOND).await;
    for (url, mut serials) in listed {
        serials.sort();
        let shard = world.list(&below(&url)).await;
        assert_eq!(shard.serials(), serials, "{url}");
        assert!(String::from_utf8_lossy(&shard.extensions[&28]).contains(&url));
        let number = url.rsplit_once('/').unwrap().1;
        let by_issuer = world.list(&format!("/.well-known/pki/crl/iss-many/shard/{number}")).await;
        assert_eq!(by_issuer.number, shard.number);
    }
    let complete = world.list("/.well-known/pki/crl/iss-many").await;
    assert_eq!(complete.entries.len(), 12);
    assert!(!complete.extensions.contains_key(&28));
    assert_eq!(world.fetch("/.well-known/pki/crl/iss-many/shard/3").await.status.as_u16(), 404);
    // One more revocation concerns one shard.
    let before = world.told("crl_generated").await;
    world.issued_by("iss-many", "mc-more", 99).await;
    world.revoke("mc-more", json!({})).await.expect(200);
    world.after(2 * SECOND).await;
    assert_eq!(world.told("crl_generated").await, before + 2);
    let own = below(&world.leaf("mc-more").await.crl_urls[0]);
    assert!(world.list(&own).await.entries.contains_key(&world.serial("mc-more").await));
}

#[tokio::test]
async fn a_ca_that_was_replaced_is_answered_for() {
    let world = published().await;
    let ((old, old_key), (new, new_key)) = (ca("Old CA", 10).await, ca("New CA", 20).await);
    world.issuer("iss-own", "GenericCA", json!({ "ca_cert_pem": old, "ca_key_pem": old_key })).await;
    world.issued_by("iss-own", "mc-old", 1).await;
    let change =
        json!({ "name": "iss-own", "type": "GenericCA", "config": { "ca_cert_pem": new, "ca_key_pem": new_key } });
    world.put("/api/v1/issuers/iss-own", change).await.expect(200);
    world.issued_by("iss-own", "mc-new", 2).await;
    for id in ["mc-old", "mc-new"] {
        world.revoke(id, json!({})).await.expect(200);
    }
    world.after(2 * SECOND).await;
    let (of_old, of_new) = (world.leaf("mc-old").await, world.leaf("mc-new").await);
    let (before, now) = (world.list(&below(&of_old.crl_urls[0])).await, world.list(&below(&of_new.crl_urls[0])).await);
    assert_eq!(before.serials(), [of_old.serial.to_string().as_str()]);
    assert_eq!(now.serials(), [of_new.serial.to_string().as_str()]);
    assert_ne!(before.issuer, now.issuer);
    assert_eq!(world.list("/.well-known/pki/crl/iss-own").await.issuer, now.issuer);
}

#[tokio::test]
async fn the_client_reads_lists() {
    let world = World::new().await;
    world.issued("mc-a", 1).await;
    let http = Arc::new(InProcess(world));
    let (admin, id) = (client(&http, ADMIN), "iss-local".parse().unwrap());
    let list = List::read(&admin.der_crl(&id).await.unwrap());
    assert!(certificate::parse(&admin.ca_certificate(&id).await.unwrap()).unwrap().is_ca);
    assert_eq!(admin.delta_crl(&id).await.unwrap_err().status(), Some(404));
    assert_eq!(admin.shard_crl(&id, 0).await.unwrap_err().status(), Some(404));
    let cache = admin.crl_cache(&Listing::default()).await.unwrap();
    assert_eq!(cache.data.len(), 1);
    assert_eq!(u64::try_from(cache.data[0].crl_number).unwrap(), list.number);
}

/// Two engines over one store, as two replicas are.
#[tokio::test]
async fn two_engines_make_one_row_of_numbers() {
    let fakes = FakePorts::new(7, Arc::new(TestKeys));
    let storage = Arc::new(MemoryStorage::new(SCHEMAS, fakes.ports().clock.clone()));
    let secret = SetupSecret::Key(SealingKey::from_bytes(&[3; 32]).unwrap());
    let build = async || {
        Engine::builder(storage.clone(), fakes.ports(), secret.clone())
            .connectors(certctl_connectors::registry())
            .build()
            .await
            .unwrap()
    };
    let (one, two) = (build().await, build().await);
    let mut last = 0;
    for round in 0..6 {
        let number = async |engine: &Engine| match engine.crl("iss-local", CrlScope::Complete).await.unwrap() {
            CrlAnswer::Found { list, .. } => list.number,
            other => panic!("{other:?}"),
        };
        if round > 0 {
            // Half a day later both find it due at the same moment.
            fakes.clock.advance(12 * HOUR);
            let (first, second) = join(one.step(), two.step()).await;
            first.unwrap();
            second.unwrap();
        }
        let (here, there) = join(number(&one), number(&two)).await;
        assert_eq!(here, there, "round {round}");
        assert!(here > last, "{here} after {last}");
        last = here;
    }
    let events =
        one.storage().read(View::Latest).await.unwrap().list(Query::<AuditEvent>::all().limit(500)).await.unwrap();
    let numbers: Vec<i64> = events
        .records
        .iter()
        .filter(|event| event.action.to_string() == "crl_generated")
        .map(|event| event.details["number"].as_i64().unwrap())
        .collect();
    let mut grown = numbers.clone();
    grown.sort_unstable();
    grown.dedup();
    assert_eq!((numbers.len(), &numbers), (6, &grown), "each number once, and in order");
}
