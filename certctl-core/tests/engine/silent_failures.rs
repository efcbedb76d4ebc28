//! Failures that other tools kept to themselves, provoked here; the book has the whole table. Orders that wait, fail and are lost.

use std::time::Duration;

use certctl_core::connector::ConnectorErrorKind;
use certctl_core::domain::{Certificate, CertificateStatus, JobState, NotificationType, Timestamp, Version};
use certctl_core::storage::{Query, View};
use certctl_core::testing::{CaStep, block_on};

use crate::{World, world};

const DAY: Duration = Duration::from_secs(86_400);

impl World {
    async fn kept(&self, id: &str) -> Certificate {
        self.engine
            .storage()
            .read(View::Latest)
            .await
            .unwrap()
            .get::<Certificate>(id)
            .await
            .unwrap()
            .unwrap()
            .into_entity()
    }

    async fn versions(&self) -> usize {
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        view.list(Query::<Version>::all().limit(1_000)).await.unwrap().records.len()
    }

    fn always_failing(&self, kind: ConnectorErrorKind) {
        self.ca.then(std::iter::repeat_with(|| CaStep::Fail(kind, None)).take(100_000));
    }
}

/// A CA that never answers well is not hammered: each order is tried a few times, and the next one comes much later.
#[test]
fn sf13_a_failing_order_is_tried_a_few_times_a_day() {
    block_on(async {
        let world = world(51).await;
        world.always_failing(ConnectorErrorKind::Transient);
        world.order("mc-a").await;
        world.pass(DAY).await;
        let calls = world.ca.calls().len();
        assert!((2..=60).contains(&calls), "{calls} orders in a day");
        assert_eq!(world.versions().await, 0);
        // Nor do jobs pile up, one beside the other.
        let open = world.jobs().await.iter().filter(|job| job.open_slot.is_some()).count();
        assert!(open <= 1, "{open} open jobs");
    });
}

/// The CA issued, and its answer was lost on the way: the next attempt asks for the same order and stores what was issued.
#[test]
fn sf14_what_the_ca_issued_and_nobody_heard_of_is_stored_and_not_ordered_again() {
    block_on(async {
        let world = world(52).await;
        world.ca.then([CaStep::LoseAnswer, CaStep::LoseAnswer, CaStep::Issue]);
        world.order("mc-a").await;
        world.pass(DAY).await;
        assert_eq!(world.status("mc-a").await, CertificateStatus::Active);
        assert_eq!((world.ca.issued().len(), world.versions().await), (1, 1), "one certificate, and it is stored");
        let issued = world.ca.issued().into_values().next().unwrap();
        assert_eq!(world.newest("mc-a").await.fingerprint_sha256, issued.fingerprint());
    });
}

/// Failing for two months is no success: it is told again and again, the certificate never counts as issued, and the engine goes
/// on until it is.
#[test]
fn sf16_nothing_is_given_up_and_called_done() {
    block_on(async {
        let world = world(53).await;
        world.always_failing(ConnectorErrorKind::Permanent);
        world.order("mc-a").await;
        let mut waited = 0;
        for _ in 0..60 {
            world.pass(DAY).await;
            assert!(matches!(
                world.status("mc-a").await,
                CertificateStatus::Failed | CertificateStatus::RenewalInProgress | CertificateStatus::Pending
            ));
            assert!(world.jobs().await.iter().all(|job| job.state != JobState::Completed));
            let kept = world.kept("mc-a").await;
            assert!(kept.renewing || kept.renew_at != Timestamp::NEVER, "nobody would ever try again: {kept:?}");
            if world.jobs().await.iter().any(|job| job.state == JobState::AwaitingCsr) {
                waited += 1;
                world.submit("mc-a").await;
            }
        }
        assert!(waited >= 5, "it was tried anew {waited} times only");
        let failures = world.notifications().await;
        let failures = failures.iter().filter(|one| one.kind == NotificationType::RenewalFailure).count();
        assert!(failures >= 5, "people were told {failures} times only");
        // The CA is mended: so is the certificate, without anybody's doing but the request.
        world.ca.mend();
        for _ in 0..20 {
            world.pass(DAY).await;
            if world.status("mc-a").await == CertificateStatus::Active {
                break;
            }
            if world.jobs().await.iter().any(|job| job.state == JobState::AwaitingCsr) {
                world.submit("mc-a").await;
            }
        }
        assert_eq!(world.status("mc-a").await, CertificateStatus::Active);
    });
}
