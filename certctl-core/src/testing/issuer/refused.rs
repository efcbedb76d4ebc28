//! What is refused, and that nothing is the worse for it.

use super::Bench;
use super::ordering::{fulfil, known_name, name_of, order, order_with_key};
use crate::connector::OrderState;
use crate::domain::{ExtendedKeyUsage, KeyFamily, SanKind};
use crate::testing::block_on;

/// Profiles are compared with capabilities before an order is made; an issuer that is asked all the same must not give a
/// certificate without what was ordered.
pub(super) fn what_it_cannot_do_is_refused(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    let capabilities = issuer.capabilities();
    for kind in SanKind::ALL.iter().filter(|kind| !capabilities.san_kinds.contains(kind)) {
        let order = order(bench, kind.name(), &[name_of(*kind)]);
        assert!(fulfil(bench, &*issuer, &order).is_err(), "it says that it does not certify {kind} names");
    }
    for family in KeyFamily::ALL.iter().filter(|family| !capabilities.key_families.contains(family)) {
        let order = order_with_key(bench, family.name(), &[known_name(bench)], *family);
        assert!(fulfil(bench, &*issuer, &order).is_err(), "it says that it does not certify {family} keys");
    }
    let unknown = |usage: &&ExtendedKeyUsage| !capabilities.ekus.is_empty() && !capabilities.ekus.contains(usage);
    for usage in ExtendedKeyUsage::ALL.iter().filter(unknown) {
        let mut order = order(bench, usage.name(), &[known_name(bench)]);
        order.terms.ekus = [*usage].into();
        assert!(fulfil(bench, &*issuer, &order).is_err(), "it says that it does not certify for {usage}");
    }
    if !capabilities.wildcards {
        let order = order(bench, "job-wildcard", &["*.example.com"]);
        assert!(fulfil(bench, &*issuer, &order).is_err(), "it says that it does not certify wildcards");
    }
}

pub(super) fn a_state_of_somebody_else_is_refused(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    let order = order(bench, "job-1", &[known_name(bench)]);
    for state in [Vec::new(), b"{}".to_vec(), b"not a state of mine".to_vec(), vec![0xff; 4096]] {
        let resumed = block_on(issuer.resume(order.step(bench), &OrderState(state)));
        assert!(resumed.is_err_and(|error| !error.kind.is_retryable()), "trying again does not mend a state");
    }
    fulfil(bench, &*issuer, &order).expect("the order can begin anew");
}

pub(super) fn a_failure_passes(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    let order = order(bench, "job-1", &[known_name(bench)]);
    bench.subject.fail_once(&bench.world);
    let error = fulfil(bench, &*issuer, &order).expect_err("the other side is away");
    assert!(error.kind.is_retryable(), "{}", error.explained());
    fulfil(bench, &*issuer, &order).expect("the other side is back");
}
