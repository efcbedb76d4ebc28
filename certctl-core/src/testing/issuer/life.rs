//! How an issuer lives: built without a sound, built again, asked at once, never talking about its secrets.

use futures_util::future::join_all;

use super::Bench;
use super::ordering::{fulfil, known_name, order};
use crate::connector::{Issuance, IssuePace};
use crate::ports::Clock;
use crate::testing::block_on;

pub(super) fn its_pace_is_as_it_says(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    let order = order(bench, "job-1", &[known_name(bench)]);
    let first = block_on(issuer.issue(order.step(bench))).unwrap();
    let at_once = matches!(first, Issuance::Issued(_));
    assert_eq!(at_once, issuer.capabilities().pace == IssuePace::Immediate);
}

/// An issuer without the role keeps to nothing here; one with it must neither promise too much nor remember a failure.
pub(super) fn a_connection_test_says_whether_orders_would_work(bench: &Bench<'_>) {
    let now = bench.world.fakes.clock.now();
    let issuer = bench.issuer();
    let Some(role) = issuer.test_connection() else { return };
    let configured = bench.configured();
    let said = block_on(role.test(now)).expect("an order would work");
    assert!(!said.is_empty());
    configured.hides_secrets("what a test says", &said);
    bench.subject.fail_once(&bench.world);
    let fresh = bench.issuer();
    let role = fresh.test_connection().expect("the role does not come and go");
    let error = block_on(role.test(now)).expect_err("the other side is away");
    assert!(error.kind.is_retryable(), "{}", error.explained());
    configured.hides_secrets("the failure of a test", &format!("{error:?} {}", error.explained()));
    block_on(role.test(now)).expect("the other side is back");
    fulfil(bench, &*fresh, &order(bench, "job-1", &[known_name(bench)])).expect("as the test said");
}

pub(super) fn building_calls_nobody(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    let _ = issuer.capabilities();
    let fakes = &bench.world.fakes;
    assert!(fakes.http.calls().is_empty() && fakes.tls.calls().is_empty() && fakes.commands.calls().is_empty());
    assert_eq!(bench.world.authorities.made(), 0);
}

pub(super) fn an_issuer_built_again_is_the_same_ca(bench: &Bench<'_>) {
    let issuers = |id: &str| {
        let chain = fulfil(bench, &*bench.issuer(), &order(bench, id, &[known_name(bench)])).unwrap();
        chain.issuers().to_vec()
    };
    assert_eq!(issuers("job-1"), issuers("job-2"));
}

pub(super) fn orders_at_once_share_one_ca(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    let orders: Vec<_> = (0..8).map(|n| order(bench, &format!("job-{n}"), &[known_name(bench)])).collect();
    let begun = block_on(join_all(orders.iter().map(|order| issuer.issue(order.step(bench)))));
    assert!(begun.iter().all(Result::is_ok));
    assert!(bench.world.authorities.made() <= 1);
}

pub(super) fn secrets_are_never_shown(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    let configured = bench.configured();
    configured.hides_secrets("Debug of the issuer", &format!("{issuer:?} {issuer:#?}"));
    bench.subject.fail_once(&bench.world);
    let error = fulfil(bench, &*issuer, &order(bench, "job-1", &[known_name(bench)])).unwrap_err();
    configured.hides_secrets("an error", &format!("{error:?} {}", error.explained()));
}
