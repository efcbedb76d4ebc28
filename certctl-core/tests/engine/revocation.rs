//! Revocations: what is valid of a certificate is revoked in one commit, and its issuer is told until it knows.

use std::sync::Arc;
use std::time::Duration;

use certctl_core::Engine;
use certctl_core::connector::{ConnectorErrorKind, Registry};
use certctl_core::domain::{
    AuditAction, AuditEvent, Certificate, CertificateStatus, JobState, KeyId, Lifecycle, NotificationType, Revocation,
    RevocationChange, RevocationNotice, RevocationNoticeState, RevocationReason, Serial, Severity, Timestamp, Version,
};
use certctl_core::engine::SetupSecret;
use certctl_core::entity::{Entity, Record};
use certctl_core::error::Error;
use certctl_core::ops::{certificate, issuer};
use certctl_core::seal::SealingKey;
use certctl_core::storage::{Claim, Leased, Query, View};
use certctl_core::testing::{CaStep, RevocationStep, ScriptedCa, ScriptedIssuer, block_on};
use serde_json::json;

use crate::{World, me, world};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

const HOLD: RevocationReason = RevocationReason::CertificateHold;
const COMPROMISE: RevocationReason = RevocationReason::KeyCompromise;

/// A world whose CA is told of revocations.
async fn world_that_revokes(seed: u64) -> World {
    let world = world(seed).await;
    let config = json!({ "url": ScriptedCa::URL, "token": "t", "revocation": true });
    let id = "iss-far".parse().unwrap();
    world.engine.execute(&me(), issuer::Update { id, name: None, config: Some(config), enabled: None }).await.unwrap();
    world
}

impl World {
    async fn every<E: Entity>(&self) -> Vec<Record<E>> {
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        view.list(Query::<E>::all().limit(10_000)).await.unwrap().records
    }

    async fn issue(&self, id: &str) -> Serial {
        self.order(id).await;
        self.pass(10 * SECOND).await;
        assert_eq!(self.status(id).await, CertificateStatus::Active);
        self.newest(id).await.serial_number.clone()
    }

    /// Renews it with another request.
    async fn reissue(&self, id: &str) -> Serial {
        let before = self.newest(id).await.id.clone();
        self.submit(id).await;
        self.pass(10 * SECOND).await;
        let newest = self.newest(id).await;
        assert_ne!(newest.id, before);
        newest.serial_number.clone()
    }

    async fn revoke(&self, id: &str, reason: RevocationReason) -> Result<(), Error> {
        self.engine.execute(&me(), certificate::Revoke { id: id.parse().unwrap(), reason }).await
    }

    async fn release(&self, id: &str) -> Result<(), Error> {
        self.engine.execute(&me(), certificate::Release { id: id.parse().unwrap() }).await
    }

    async fn audited_as(&self, action: AuditAction) -> usize {
        self.every::<AuditEvent>().await.iter().filter(|event| event.action == action).count()
    }

    /// Where the telling of each stands.
    async fn notices(&self) -> Vec<(RevocationNoticeState, i64)> {
        self.every::<RevocationNotice>().await.iter().map(|notice| (notice.state, notice.failures)).collect()
    }

    async fn is(&self, id: &str) -> Record<Certificate> {
        self.engine.storage().read(View::Latest).await.unwrap().get(id).await.unwrap().unwrap()
    }

    /// Somebody takes up what is to be told, and is not heard of any more.
    async fn taken_by_somebody(&self) -> Timestamp {
        let claim = Claim {
            queue: RevocationNotice::QUEUE,
            holder: "somebody".into(),
            partitions: vec![("revoker:iss-far".into(), 10)],
            lease: 30 * SECOND,
        };
        let claimed = self.engine.storage().claim(claim).await.unwrap();
        assert_eq!(claimed.rows.len(), 1);
        claimed.now
    }

    /// The same store under another engine.
    async fn after_a_crash(self) -> Self {
        let Self { fakes, engine, ca, board } = self;
        let storage = Arc::clone(engine.storage());
        drop(engine);
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let registry = Registry::new().issuer::<ScriptedIssuer>();
        let engine = Engine::builder(storage, fakes.ports(), secret).connectors(registry).build().await.unwrap();
        Self { fakes, engine, ca, board }
    }
}

/// So many calls that nobody answers.
fn down(calls: usize) -> impl Iterator<Item = RevocationStep> {
    std::iter::repeat_n(RevocationStep::Fail(ConnectorErrorKind::Unreachable, None), calls)
}

#[test]
fn the_epoch_of_the_key_that_signed_changes_with_revocations_and_with_nothing_else() {
    block_on(async {
        let world = world(75).await;
        world.issue("mc-a").await;
        let key = world.newest("mc-a").await.issuer_key_id.clone().unwrap();
        let epoch = async || world.engine.revocation_epoch(&key).await.unwrap();
        assert_eq!(epoch().await, 0);
        world.issue("mc-b").await;
        assert_eq!(epoch().await, 0, "what is issued changes nothing that is revoked");
        let mut seen = vec![0];
        let mut changed = async || {
            let now = epoch().await;
            assert!(!seen.contains(&now), "{now} was before: {seen:?}");
            seen.push(now);
        };
        world.revoke("mc-a", HOLD).await.unwrap();
        changed().await;
        world.release("mc-a").await.unwrap();
        changed().await;
        world.revoke("mc-a", HOLD).await.unwrap();
        changed().await;
        world.revoke("mc-a", COMPROMISE).await.unwrap();
        changed().await;
        world.revoke("mc-b", COMPROMISE).await.unwrap();
        changed().await;
        assert!(world.revoke("mc-b", COMPROMISE).await.is_err());
        let last = epoch().await;
        assert_eq!(Some(&last), seen.last());
        assert_eq!(world.every::<RevocationChange>().await.len(), 5);
        // They are counted and taken away, which changes nothing.
        world.pass(2 * MINUTE).await;
        assert!(world.every::<RevocationChange>().await.is_empty());
        assert_eq!(epoch().await, last);
        assert_eq!(world.engine.revocation_epoch(&KeyId::of(b"another")).await.unwrap(), 0);
        let keys: Vec<_> = world.every::<Revocation>().await.iter().map(|row| row.issuer_key_id.clone()).collect();
        assert_eq!(keys, [Some(key.clone()), Some(key)]);
    });
}

#[test]
fn all_that_is_valid_is_revoked_and_told_once_however_often_the_ca_is_away() {
    block_on(async {
        let world = world_that_revokes(71).await;
        let (first, second) = (world.issue("mc-a").await, world.reissue("mc-a").await);
        let other = world.issue("mc-b").await;
        // Two notices, each with three calls in one attempt: two attempts of both fail, and one answer is lost.
        world.ca.then_hear(down(12).chain([RevocationStep::LoseAnswer]));
        let at = world.is("mc-a").await.updated_at;
        world.revoke("mc-a", COMPROMISE).await.unwrap();
        let rows = world.every::<Revocation>().await;
        let mut serials: Vec<Serial> = rows.iter().map(|row| row.serial_number.clone()).collect();
        serials.sort();
        let mut expected = vec![first, second];
        expected.sort();
        assert_eq!(serials, expected, "all versions that have not expired, and no other certificate's");
        assert!(rows.iter().all(|row| row.reason == COMPROMISE && row.issuer_id.as_str() == "iss-far"));
        assert!(rows.iter().all(|row| row.revoked_by == me().id && row.revoked_at >= at && !row.short_lived));
        world.pass(2 * SECOND).await;
        world.pass(30 * SECOND).await;
        assert_eq!(world.ca.told(), []);
        assert_eq!(world.notices().await, [(RevocationNoticeState::Failed, 1); 2]);
        world.pass(2 * HOUR).await;
        let mut told: Vec<_> = world.ca.told();
        told.sort();
        let expected: Vec<_> = expected.into_iter().map(|serial| (serial, Some(COMPROMISE))).collect();
        assert_eq!(told, expected, "each once");
        assert_eq!(world.notices().await, [(RevocationNoticeState::Told, 2); 2]);
        assert_eq!(world.audited_as(AuditAction::IssuerTold).await, 2);
        assert_eq!(world.audited_as(AuditAction::IssuerNotTold).await, 4);
        world.pass(24 * HOUR).await;
        assert_eq!(world.ca.told().len(), 2);
        assert_eq!(world.newest("mc-b").await.serial_number, other);
        assert_eq!(world.status("mc-b").await, CertificateStatus::Active);
    });
}

#[test]
fn people_are_told_and_nothing_is_renewed_any_more() {
    block_on(async {
        let world = world_that_revokes(72).await;
        world.issue("mc-a").await;
        world.revoke("mc-a", COMPROMISE).await.unwrap();
        assert_eq!(world.status("mc-a").await, CertificateStatus::Revoked);
        let of_revocation: Vec<_> = world
            .notifications()
            .await
            .into_iter()
            .filter(|notification| notification.kind == NotificationType::Revocation)
            .collect();
        assert_eq!(of_revocation.len(), 1);
        assert_eq!(of_revocation[0].severity, Severity::Critical);
        assert!(of_revocation[0].message.contains("keyCompromise"), "{}", of_revocation[0].message);
        world.pass(100 * 24 * HOUR).await;
        assert_eq!(world.status("mc-a").await, CertificateStatus::Revoked);
        assert_eq!(world.every::<Version>().await.len(), 1);
        assert!(world.jobs().await.iter().all(|job| !job.is_open()));
        let refused = world.revoke("mc-a", HOLD).await.unwrap_err();
        assert_eq!(refused.code(), "already_revoked");
        let renew = certificate::Renew { id: "mc-a".parse().unwrap() };
        assert_eq!(world.engine.execute(&me(), renew).await.unwrap_err().code(), "revoked");
    });
}

#[test]
fn a_renewal_that_is_under_way_ends_with_it() {
    block_on(async {
        let world = world_that_revokes(73).await;
        world.issue("mc-a").await;
        world.ca.then([CaStep::Wait(HOUR)]);
        world.submit("mc-a").await;
        world.pass(10 * SECOND).await;
        assert_eq!(world.status("mc-a").await, CertificateStatus::RenewalInProgress);
        let calls = world.ca.calls().len();
        world.revoke("mc-a", COMPROMISE).await.unwrap();
        let job = world.jobs().await.into_iter().find(|job| job.state != JobState::Completed).unwrap();
        assert_eq!((job.state, job.open_slot.is_none()), (JobState::Cancelled, true));
        assert_eq!(job.last_error.as_deref(), Some("the certificate was revoked"));
        world.pass(24 * HOUR).await;
        assert_eq!((world.ca.calls().len(), world.every::<Version>().await.len()), (calls, 1));
        assert_eq!(world.status("mc-a").await, CertificateStatus::Revoked);
    });
}

#[test]
fn what_has_expired_is_not_revoked() {
    block_on(async {
        let world = world_that_revokes(74).await;
        world.issue("mc-a").await;
        let ends = world.newest("mc-a").await.not_after;
        world.pass(30 * 24 * HOUR).await;
        let second = world.reissue("mc-a").await;
        let now = world.engine.storage().read(View::Latest).await.unwrap().now();
        world.pass(ends.since(now) + MINUTE).await;
        world.revoke("mc-a", COMPROMISE).await.unwrap();
        let rows = world.every::<Revocation>().await;
        assert_eq!(rows.iter().map(|row| &row.serial_number).collect::<Vec<_>>(), [&second]);
    });
}

#[test]
fn a_hold_is_told_released_and_may_become_final() {
    block_on(async {
        let world = world_that_revokes(75).await;
        let serial = world.issue("mc-a").await;
        let before = world.is("mc-a").await;
        assert_eq!(world.release("mc-a").await.unwrap_err().code(), "not_on_hold");
        world.revoke("mc-a", HOLD).await.unwrap();
        assert_eq!(world.is("mc-a").await.renew_at, Timestamp::NEVER);
        assert_eq!(world.revoke("mc-a", HOLD).await.unwrap_err().code(), "already_revoked");
        world.pass(MINUTE).await;
        world.release("mc-a").await.unwrap();
        let after = world.is("mc-a").await;
        assert_eq!((after.lifecycle, after.revoked_at, &after.revocation_reason), (Lifecycle::Issued, None, &None));
        assert_eq!((after.expires_at, after.alert_at < Timestamp::NEVER), (before.expires_at, true));
        assert!(after.renew_at < after.expires_at, "it is renewed again");
        assert!(world.every::<Revocation>().await.is_empty());
        world.pass(MINUTE).await;
        world.revoke("mc-a", HOLD).await.unwrap();
        let since = world.is("mc-a").await.revoked_at.unwrap();
        world.pass(MINUTE).await;
        world.revoke("mc-a", COMPROMISE).await.unwrap();
        world.pass(MINUTE).await;
        let told = [Some(HOLD), None, Some(HOLD), Some(COMPROMISE)].map(|reason| (serial.clone(), reason));
        assert_eq!(world.ca.told(), told);
        let rows = world.every::<Revocation>().await;
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].reason, rows[0].revoked_at), (COMPROMISE, since), "revoked since the hold began");
        assert_eq!(world.is("mc-a").await.revoked_at, Some(since));
        assert_eq!(world.release("mc-a").await.unwrap_err().code(), "not_on_hold");
        assert_eq!(world.revoke("mc-a", HOLD).await.unwrap_err().code(), "already_revoked");
        assert_eq!(world.audited_as(AuditAction::CertificateRevoked).await, 3);
        assert_eq!(world.audited_as(AuditAction::CertificateReleased).await, 1);
    });
}

#[test]
fn what_is_released_before_the_ca_heard_of_it_is_not_told() {
    block_on(async {
        let world = world_that_revokes(76).await;
        let serial = world.issue("mc-a").await;
        world.revoke("mc-a", HOLD).await.unwrap();
        world.release("mc-a").await.unwrap();
        world.pass(HOUR).await;
        assert_eq!((world.ca.told(), world.notices().await), (vec![], vec![]), "nobody was told of the hold");

        // Where it may have heard, it hears of the end as well, and only of that.
        world.ca.then_hear(down(3));
        world.revoke("mc-a", HOLD).await.unwrap();
        world.pass(10 * SECOND).await;
        assert_eq!(world.notices().await, [(RevocationNoticeState::Failed, 1)]);
        world.release("mc-a").await.unwrap();
        world.pass(HOUR).await;
        assert_eq!(world.ca.told(), [(serial, None)]);
        assert_eq!(world.notices().await, [(RevocationNoticeState::Told, 0)]);
    });
}

#[test]
fn who_is_telling_is_waited_for_before_the_opposite_is_told() {
    block_on(async {
        let world = world_that_revokes(77).await;
        let serial = world.issue("mc-a").await;
        world.revoke("mc-a", HOLD).await.unwrap();
        let taken_at = world.taken_by_somebody().await;
        world.release("mc-a").await.unwrap();
        let notice = world.every::<RevocationNotice>().await.remove(0);
        assert_eq!((notice.state, &notice.holder), (RevocationNoticeState::Pending, &None));
        assert!(notice.due_at >= taken_at + 30 * SECOND);
        world.pass(20 * SECOND).await;
        assert_eq!(world.ca.told(), []);
        world.pass(MINUTE).await;
        assert_eq!(world.ca.told(), [(serial, None)]);
    });
}

#[test]
fn a_crash_loses_nothing() {
    block_on(async {
        let world = world_that_revokes(78).await;
        let serial = world.issue("mc-a").await;
        world.revoke("mc-a", COMPROMISE).await.unwrap();
        // Before it was taken up.
        let world = world.after_a_crash().await;
        assert_eq!(world.ca.told(), []);
        // While it was told.
        world.taken_by_somebody().await;
        let world = world.after_a_crash().await;
        world.pass(20 * SECOND).await;
        assert_eq!(world.ca.told(), []);
        world.pass(5 * MINUTE).await;
        assert_eq!(world.ca.told(), [(serial, Some(COMPROMISE))]);
        assert_eq!(world.notices().await, [(RevocationNoticeState::Told, 1)], "the lost attempt counts");
    });
}

#[test]
fn a_ca_that_will_not_hear_of_it_is_not_asked_again() {
    block_on(async {
        let world = world_that_revokes(79).await;
        let serial = world.issue("mc-a").await;
        world.ca.then_hear([RevocationStep::Fail(ConnectorErrorKind::Permanent, None)]);
        world.revoke("mc-a", HOLD).await.unwrap();
        world.pass(24 * HOUR).await;
        assert_eq!(world.notices().await, [(RevocationNoticeState::Refused, 1)]);
        assert_eq!(world.audited_as(AuditAction::IssuerRefusedRevocation).await, 1);
        assert_eq!(world.status("mc-a").await, CertificateStatus::Revoked, "here it is revoked all the same");
        // Another decision is told.
        world.revoke("mc-a", COMPROMISE).await.unwrap();
        world.pass(MINUTE).await;
        assert_eq!(world.ca.told(), [(serial, Some(COMPROMISE))]);
        // Credentials are somebody's to mend.
        world.issue("mc-b").await;
        world.ca.then_hear([RevocationStep::Fail(ConnectorErrorKind::Auth, None)]);
        world.revoke("mc-b", COMPROMISE).await.unwrap();
        world.pass(10 * MINUTE).await;
        assert_eq!(world.ca.told().len(), 2);
    });
}

#[test]
fn an_issuer_that_is_to_be_told_is_not_deleted() {
    block_on(async {
        let world = world_that_revokes(80).await;
        world.issue("mc-a").await;
        world.ca.then_hear(down(3));
        world.revoke("mc-a", COMPROMISE).await.unwrap();
        world.pass(10 * SECOND).await;
        // Its certificate keeps it anyway; what is asked here is asked first.
        let delete = || issuer::Delete { id: "iss-far".parse().unwrap() };
        let refused = world.engine.execute(&me(), delete()).await.unwrap_err();
        assert_eq!(refused.code(), "in_use");
        assert!(refused.message().contains("yet to be told of 1 revocations"), "{refused}");
        world.pass(HOUR).await;
        let refused = world.engine.execute(&me(), delete()).await.unwrap_err();
        assert!(!refused.message().contains("yet to be told"), "{refused}");
    });
}

#[test]
fn short_lived_ones_are_marked_and_issuers_without_the_role_are_not_told() {
    block_on(async {
        let world = world(81).await;
        world.short_lived().await;
        world.order_short("mc-short").await;
        world.issue("mc-long").await;
        for id in ["mc-short", "mc-long"] {
            world.revoke(id, COMPROMISE).await.unwrap();
        }
        world.pass(MINUTE).await;
        let mut marked: Vec<(String, bool)> = world
            .every::<Revocation>()
            .await
            .iter()
            .map(|row| (row.certificate_id.to_string(), row.short_lived))
            .collect();
        marked.sort();
        assert_eq!(marked, [("mc-long".to_owned(), false), ("mc-short".to_owned(), true)]);
        assert!(world.every::<RevocationNotice>().await.is_empty());
        assert_eq!(world.ca.told(), []);
        world.pass(HOUR).await;
        assert_eq!(world.audited_as(AuditAction::ShortLivedExpired).await, 0, "its revocation was its end");
    });
}
