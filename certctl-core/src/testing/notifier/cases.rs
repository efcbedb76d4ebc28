//! The cases.

use std::time::Duration;

use super::{Bench, Reaction};
use crate::connector::{ConnectorErrorKind, Notice, Severity};
use crate::domain::{CertificateId, NotificationId};
use crate::testing::{ManualClock, block_on};

fn notice() -> Notice {
    Notice {
        id: NotificationId::parse("ntf-suite").unwrap(),
        event: "RenewalFailure",
        severity: Severity::Critical,
        certificate_id: Some(CertificateId::parse("mc-suite").unwrap()),
        recipient: "ops@example.com".to_owned(),
        subject: "shop.example.com was not renewed".to_owned(),
        message: "The issuer refused the order.".to_owned(),
        html: None,
        created_at: ManualClock::START,
        attempt: 1,
    }
}

pub(super) fn a_notice_is_delivered_once(bench: &Bench<'_>) {
    bench.subject.react(&bench.world, Reaction::Accept);
    block_on(bench.notifier().send(&notice())).unwrap();
    let received = bench.received();
    assert_eq!(received.len(), 1, "{received:?}");
    for part in ["shop.example.com was not renewed", "The issuer refused the order.", "mc-suite"] {
        assert!(received[0].contains(part), "`{part}` is missing in {}", received[0]);
    }
}

pub(super) fn every_notice_can_be_told(bench: &Bench<'_>) {
    bench.subject.react(&bench.world, Reaction::Accept);
    let notifier = bench.notifier();
    let mut notices: Vec<_> = Severity::ALL.iter().map(|severity| Notice { severity: *severity, ..notice() }).collect();
    notices.push(Notice { certificate_id: None, ..notice() });
    notices.push(Notice { message: String::new(), ..notice() });
    notices.push(Notice { message: "x".repeat(20_000), attempt: u32::MAX, ..notice() });
    notices.push(Notice { subject: "Zürich ☂ \"quoted\"\r\nBcc: all@example.com".to_owned(), ..notice() });
    for (sent, notice) in notices.iter().enumerate() {
        block_on(notifier.send(notice)).unwrap();
        assert_eq!(bench.received().len(), sent + 1);
    }
    let told = bench.received();
    assert!(
        !told.iter().any(|text| text.lines().any(|line| line.starts_with("Bcc:"))),
        "a line break of the subject became one of the protocol"
    );
}

pub(super) fn a_repetition_can_be_told_by_its_id(bench: &Bench<'_>) {
    bench.subject.react(&bench.world, Reaction::Accept);
    let notifier = bench.notifier();
    block_on(notifier.send(&notice())).unwrap();
    block_on(notifier.send(&Notice { attempt: 2, ..notice() })).unwrap();
    assert!(bench.received().iter().all(|text| text.contains("ntf-suite")), "the id of the notice is missing");
}

pub(super) fn a_failure_says_of_what_kind_it_is(bench: &Bench<'_>) {
    let notifier = bench.notifier();
    let pause = Duration::from_secs(90);
    for (reaction, kind) in [
        (Reaction::RefuseCredentials, ConnectorErrorKind::Auth),
        (Reaction::Throttle(pause), ConnectorErrorKind::Quota),
        (Reaction::Fail, ConnectorErrorKind::Transient),
        (Reaction::Reject, ConnectorErrorKind::Permanent),
        (Reaction::Vanish, ConnectorErrorKind::Unreachable),
    ] {
        bench.subject.react(&bench.world, reaction);
        let error = block_on(notifier.send(&notice())).expect_err("not delivered");
        assert_eq!(error.kind, kind, "{reaction:?}: {error}");
        if kind == ConnectorErrorKind::Quota {
            assert_eq!(error.retry_after, bench.subject.says_how_long().then_some(pause));
        }
    }
    bench.subject.react(&bench.world, Reaction::Accept);
    block_on(notifier.send(&notice())).expect("a failure leaves nothing behind");
}

pub(super) fn a_failure_is_not_repeated_by_the_notifier(bench: &Bench<'_>) {
    bench.subject.react(&bench.world, Reaction::Fail);
    block_on(bench.notifier().send(&notice())).unwrap_err();
    assert_eq!(bench.received().len(), 1, "the outbox repeats, not the notifier");
}

pub(super) fn building_calls_nobody(bench: &Bench<'_>) {
    let _notifier = bench.notifier();
    let world = &bench.world;
    assert!(world.http.calls().is_empty() && world.tls.calls().is_empty() && world.commands.calls().is_empty());
    assert!(bench.received().is_empty());
}

pub(super) fn secrets_are_never_shown(bench: &Bench<'_>) {
    let notifier = bench.notifier();
    bench.hides_secrets(&notifier);
    for reaction in [Reaction::RefuseCredentials, Reaction::Fail, Reaction::Reject, Reaction::Vanish] {
        bench.subject.react(&bench.world, reaction);
        let error = block_on(notifier.send(&notice())).unwrap_err();
        bench.hides_secrets(&error);
        bench.hides_secrets(&error.explained());
    }
}
