//! Answers are signed once and given again, for as long as they are true.

use std::time::Duration;

use certctl_core::domain::{EngineKey, EngineKeyPurpose, OcspResponder, Timestamp};
use certctl_core::ocsp::OcspOutcome;
use certctl_core::pki::certificate;
use certctl_core::storage::{Query, View};
use serde_json::json;

use super::der::{Status, request, status, told};
use super::{OCSP, World, given};
use crate::system::flaky;
use crate::world::Answer;

const DAY: Duration = Duration::from_hours(24);

impl World {
    /// How many answers were signed.
    fn signed(&self) -> u64 {
        self.engine.ocsp_requests(OcspOutcome::Signed)
    }

    async fn responders(&self) -> Vec<OcspResponder> {
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        let newest = OcspResponder::FIELDS.generation.descending();
        let found = view.list(Query::sorted(newest)).await.unwrap().records;
        found.into_iter().map(certctl_core::entity::Record::into_entity).collect()
    }

    async fn keys_of_responders(&self) -> u64 {
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        let of = EngineKey::FIELDS.purpose.equals(EngineKeyPurpose::OcspResponder);
        view.total(&Query::<EngineKey>::all().filter(of)).await.unwrap()
    }

    async fn if_none_match(&self, path: &str, tag: &str) -> Answer {
        let asked = axum::http::Request::get(path).header("if-none-match", tag);
        self.send(asked.body(axum::body::Body::empty()).unwrap()).await
    }
}

#[tokio::test]
async fn an_answer_is_signed_once_and_again_when_it_is_half_as_old_as_it_may_be() {
    let world = World::new().await;
    let one = world.met("mc-1", 1).await;
    let path = format!("{OCSP}/{}", one.serial);
    let first = world.fetch(&path).await;
    let said = told(&first.octets, &one.ca);
    assert_eq!((said.produced_at.as_str(), said.this_update.as_str()), ("20300101000000Z", "20300101000000Z"));
    assert_eq!(said.next_update, "20300101010000Z");
    assert_eq!(first.header("cache-control"), "max-age=3600, public, no-transform, must-revalidate");
    assert_eq!(first.header("last-modified"), "Tue, 01 Jan 2030 00:00:00 GMT");
    assert_eq!(first.header("expires"), "Tue, 01 Jan 2030 01:00:00 GMT");
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() == 34, "{tag}");
    world.fakes.clock.advance(Duration::from_secs(1_799));
    let again = world.fetch(&path).await;
    assert_eq!((&again.octets, again.header("etag")), (&first.octets, tag.as_str()));
    assert_eq!(again.header("cache-control"), "max-age=1801, public, no-transform, must-revalidate");
    let unchanged = world.if_none_match(&path, &tag).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.octets.len()), (304, 0));
    assert_eq!((world.signed(), world.engine.ocsp_requests(OcspOutcome::Cached)), (1, 2));
    world.fakes.clock.advance(Duration::from_secs(1));
    let renewed = world.fetch(&path).await;
    assert_ne!(renewed.header("etag"), tag);
    assert_eq!(told(&renewed.octets, &one.ca).next_update, "20300101013000Z");
    assert_eq!(world.if_none_match(&path, &tag).await.status, 200);
    assert_eq!(world.signed(), 2);
    // What is posted is nobody's to keep.
    let posted = world.post_ocsp(OCSP, &request(&[one.id()], None)).await;
    assert_eq!((&posted.octets, posted.header("cache-control")), (&renewed.octets, "no-store"));
    // What was never issued may be issued at any moment.
    let unknown = world.fetch(&format!("{OCSP}/01")).await;
    assert_eq!((unknown.header("cache-control"), unknown.header("etag")), ("no-store", ""));
    assert_eq!(told(&unknown.octets, &one.ca).next_update, "20300101003500Z");
}

#[tokio::test]
async fn what_another_server_revokes_is_told_within_half_a_second() {
    let world = World::new().await;
    let other = world.replica().await;
    let (one, two) = (world.met("mc-1", 1).await, world.met("mc-2", 2).await);
    let before = [world.ask_ocsp(&one).await, other.ask_ocsp(&one).await];
    assert_eq!(before[0].responder, before[1].responder, "they share a responder");
    let (at_one, at_other) = (world.ask_ocsp(&two).await, other.ask_ocsp(&two).await);
    world.revoke("mc-1", json!({ "reason": "keyCompromise" })).await.expect(200);
    assert!(matches!(world.status_of(&one).await, Status::Revoked(_, 1)), "this server knows at once");
    world.fakes.clock.advance(Duration::from_millis(500));
    assert!(matches!(other.status_of(&one).await, Status::Revoked(_, 1)), "the other one by now");
    // What was said of another certificate is as true as before, and is not signed again.
    let signed = (world.signed(), other.signed());
    assert_eq!((world.ask_ocsp(&two).await, other.ask_ocsp(&two).await), (at_one, at_other));
    assert_eq!((world.signed(), other.signed()), signed);
    // The other way round, and a hold that ends.
    other.revoke("mc-2", json!({ "reason": "certificateHold" })).await.expect(200);
    assert!(matches!(other.status_of(&two).await, Status::Revoked(_, 6)));
    world.fakes.clock.advance(Duration::from_millis(500));
    assert!(matches!(world.status_of(&two).await, Status::Revoked(_, 6)));
    other.post("/api/v1/certificates/mc-2/release", json!({})).await.expect(200);
    assert_eq!(other.status_of(&two).await, Status::Good);
    world.fakes.clock.advance(Duration::from_millis(500));
    assert_eq!(world.status_of(&two).await, Status::Good);
}

#[tokio::test]
async fn a_responder_has_a_successor_in_time_that_all_servers_share() {
    let world = World::new().await;
    let other = world.replica().await;
    let one = world.met("mc-1", 1).await;
    let first = world.ask_ocsp(&one).await.responder;
    let facts = certificate::parse(&first).unwrap();
    let start = Timestamp::parse_rfc3339("2030-01-01T00:00:00Z").unwrap();
    assert_eq!((facts.not_after, facts.is_ca), (start + DAY * 30, false));
    world.fakes.clock.advance((DAY * 23).saturating_sub(Duration::from_secs(1)));
    assert_eq!(
        (world.ask_ocsp(&one).await.responder, other.ask_ocsp(&one).await.responder),
        (first.clone(), first.clone())
    );
    world.fakes.clock.advance(Duration::from_secs(1));
    let (second, seen) = (world.ask_ocsp(&one).await.responder, other.ask_ocsp(&one).await.responder);
    assert!(second != first && second == seen);
    assert_eq!(certificate::parse(&second).unwrap().not_after, start + DAY * 53);
    // What the first one signed is still believed, so it is still there.
    let generations = |responders: Vec<OcspResponder>| responders.iter().map(|one| one.generation).collect::<Vec<_>>();
    assert_eq!(generations(world.responders().await), [2, 1]);
    world.fakes.clock.advance(DAY * 23);
    assert_ne!(other.ask_ocsp(&one).await.responder, second);
    assert_eq!((generations(world.responders().await), world.keys_of_responders().await), (vec![3, 2], 2));
    assert_eq!(world.told("ocsp_responder_created").await, 3);
}

#[tokio::test]
async fn authorities_that_were_superseded_answer_for_what_they_signed() {
    let world = World::new().await;
    let old = world.met("mc-1", 1).await;
    world.put("/api/v1/issuers/iss-local", json!({ "config": given(5).await })).await.expect(200);
    let new = world.met("mc-2", 2).await;
    assert_ne!(old.ca, new.ca);
    for round in 0..2 {
        assert_eq!((world.status_of(&old).await, world.status_of(&new).await), (Status::Good, Status::Good), "{round}");
        for one in [&old, &new] {
            let got = world.fetch(&format!("{OCSP}/{}", one.serial)).await;
            assert_eq!(told(&got.octets, &one.ca).certificates, [(one.id(), Status::Good)]);
        }
        world.fakes.clock.advance(Duration::from_secs(1));
    }
    // One responder may not answer for both.
    let both = request(&[old.id(), new.id()], None);
    assert_eq!(status(&world.post_ocsp(OCSP, &both).await.octets), 6);
    world.revoke("mc-1", json!({ "reason": "superseded" })).await.expect(200);
    assert!(matches!(world.status_of(&old).await, Status::Revoked(_, 4)));
    assert_eq!(world.status_of(&new).await, Status::Good);
    // Whoever asks about a number that nobody issued is answered by the one that signs now.
    told(&world.fetch(&format!("{OCSP}/01")).await.octets, &new.ca);
}

/// A certificate that has ended is still known, and the answer says since when they are.
#[tokio::test]
async fn what_has_ended_is_still_known() {
    let world = World::new().await;
    let one = world.met("mc-1", 1).await;
    let while_valid = world.fetch(&format!("{OCSP}/{}", one.serial)).await.octets;
    world.fakes.clock.advance(DAY * 91);
    let ended = world.fetch(&format!("{OCSP}/{}", one.serial)).await.octets;
    assert_eq!(told(&ended, &one.ca).certificates, [(one.id(), Status::Good)]);
    // id-pkix-ocsp-archive-cutoff (RFC 6960 section 4.4.4).
    let cutoff = [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 6];
    let has = |octets: &[u8]| octets.windows(cutoff.len()).any(|window| window == cutoff);
    assert_eq!((has(&while_valid), has(&ended)), (false, true));
}

#[tokio::test]
async fn what_was_signed_is_told_while_the_store_is_away() {
    let (world, store) = flaky().await;
    let (one, two, three) = (world.met("mc-1", 1).await, world.met("mc-2", 2).await, world.met("mc-3", 3).await);
    let before = world.ask_ocsp(&one).await;
    world.ask_ocsp(&two).await;
    store.gate().set(true);
    // For as long as it is valid, which is longer than it is given again otherwise.
    for _ in 0..59 {
        world.fakes.clock.advance(Duration::from_mins(1));
        assert_eq!(world.ask_ocsp(&one).await, before);
        let other = world.post_ocsp(OCSP, &request(&[three.id()], None)).await;
        assert_eq!(status(&other.octets), 3, "it cannot be looked up");
    }
    world.fakes.clock.advance(Duration::from_mins(1));
    assert_eq!(status(&world.post_ocsp(OCSP, &request(&[one.id()], None)).await.octets), 3);
    assert_eq!(status(&world.post_ocsp("/.well-known/pki/ocsp/iss-x", &request(&[one.id()], None)).await.octets), 3);
    store.gate().set(false);
    assert_eq!(world.status_of(&three).await, Status::Good);
    // What this server has revoked it does not call good, whoever is away then.
    world.revoke("mc-2", json!({ "reason": "keyCompromise" })).await.expect(200);
    store.gate().set(true);
    for one in [&one, &two] {
        assert_eq!(status(&world.post_ocsp(OCSP, &request(&[one.id()], None)).await.octets), 3);
    }
    store.gate().set(false);
    assert!(matches!(world.status_of(&two).await, Status::Revoked(_, 1)));
}
