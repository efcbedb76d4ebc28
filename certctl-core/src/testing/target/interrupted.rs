//! A deployment that is cut off at any point ends as the old certificate or the new one, whole.

use super::{Bench, Site};
use crate::testing::{Fault, block_on};

/// More changes than any deployment makes.
const MOST_CHANGES: u64 = 500;

pub(super) fn recovery_without_need_changes_nothing(bench: &Bench<'_>) {
    let site = bench.site(Some(&bench.certificates.old));
    for _ in 0..2 {
        let (material, served) = (site.host.material(), site.host.served());
        block_on(site.target().recover()).unwrap();
        block_on(site.target().recover()).unwrap();
        assert_eq!((site.host.material(), site.host.served()), (material, served));
        site.deploy(&bench.certificates.new).unwrap();
    }
}

pub(super) fn a_crash_leaves_one_of_the_two(bench: &Bench<'_>) {
    at_every_change(bench, |site| site.world.files.restart());
}

pub(super) fn a_power_failure_leaves_one_of_the_two(bench: &Bench<'_>) {
    at_every_change(bench, |site| site.world.files.power_failure());
}

fn at_every_change(bench: &Bench<'_>, start_again: impl Fn(&Site<'_>)) {
    for before in [None, Some(&bench.certificates.old)] {
        for change in 0..=MOST_CHANGES {
            assert!(change < MOST_CHANGES, "the deployment has no end");
            let mut reached = false;
            for fault in [Fault::StopBefore, Fault::StopAfter] {
                let site = bench.site(before);
                let old = site.host.material();
                site.world.files.fault_at(change, fault);
                let outcome = site.deploy(&bench.certificates.new);
                if !site.world.files.is_stopped() {
                    outcome.unwrap();
                    continue;
                }
                reached = true;
                start_again(&site);
                recovers(&site, &old, &format!("{fault:?} change {change}"));
            }
            if !reached {
                break;
            }
        }
    }
}

fn recovers(site: &Site<'_>, old: &std::collections::BTreeMap<String, Vec<u8>>, when: &str) {
    block_on(site.target().recover()).unwrap_or_else(|error| panic!("{when}: {error}"));
    let recovered = site.host.material();
    block_on(site.target().recover()).unwrap_or_else(|error| panic!("{when}, again: {error}"));
    assert_eq!(site.host.material(), recovered, "{when}: recovery is not idempotent");
    let new = &site.bench.certificates.new;
    site.deploy(new).unwrap_or_else(|error| panic!("{when}: nothing can be deployed any more: {error}"));
    assert!(site.serves(new), "{when}");
    assert!(recovered == *old || recovered == site.host.material(), "{when}: neither the old pair nor the new one");
}
