//! What is issued is what was ordered.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Bench;
use super::ordering::{fulfil, known_name, leaf, name_of, order, order_with_key};
use crate::connector::{IssuePace, Predecessor};
use crate::domain::RenewalInfoId;
use crate::pki::chain::{self, Expected};
use crate::ports::Clock;

pub(super) fn a_certificate_fits_its_order(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    let order = order(bench, "job-1", &[known_name(bench)]);
    let chain = fulfil(bench, &*issuer, &order).unwrap();
    let now = bench.world.fakes.clock.now();
    let expected = Expected { spki: order.csr.spki(), names: &order.names, now };
    let facts = chain::check(&chain, &expected).unwrap();
    assert!(facts.is_valid_at(now), "it is not valid when it comes");
    assert!(!chain.issuers().is_empty(), "its issuer is missing in the chain");
}

pub(super) fn every_kind_of_name_is_certified(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    let capabilities = issuer.capabilities();
    let mut names: Vec<&str> = capabilities.san_kinds.iter().map(|kind| name_of(*kind)).collect();
    if capabilities.wildcards {
        names.push("*.example.com");
    }
    for name in &names {
        let order = order(bench, name, &[name]);
        let chain = fulfil(bench, &*issuer, &order).unwrap_or_else(|error| panic!("{name}: {}", error.explained()));
        assert_eq!(leaf(&chain).names.sans, order.names.sans);
    }
    let all = order(bench, "job-all", &names);
    assert_eq!(leaf(&fulfil(bench, &*issuer, &all).unwrap()).names.sans, all.names.sans);
}

pub(super) fn every_family_of_keys_is_certified(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    for family in issuer.capabilities().key_families {
        let order = order_with_key(bench, family.name(), &[known_name(bench)], family);
        let chain = fulfil(bench, &*issuer, &order).unwrap_or_else(|error| panic!("{family}: {}", error.explained()));
        assert_eq!(leaf(&chain).spki, order.csr.spki(), "{family}");
    }
}

pub(super) fn every_usage_is_certified(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    for usage in issuer.capabilities().ekus {
        let mut order = order(bench, usage.name(), &[known_name(bench)]);
        order.terms.ekus = BTreeSet::from([usage]);
        let chain = fulfil(bench, &*issuer, &order).unwrap_or_else(|error| panic!("{usage}: {}", error.explained()));
        assert_eq!(leaf(&chain).extended_key_usages, [usage.oid()]);
    }
}

pub(super) fn a_shorter_lifetime_is_kept(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    for lifetime in [Duration::from_mins(5), Duration::from_hours(1), Duration::from_hours(24 * 6)] {
        let mut order = order(bench, &format!("job-{}", lifetime.as_secs()), &[known_name(bench)]);
        order.terms.lifetime = Some(lifetime);
        let facts = leaf(&fulfil(bench, &*issuer, &order).unwrap());
        let now = bench.world.fakes.clock.now();
        assert!(facts.not_after.since(facts.not_before) <= lifetime, "longer than {lifetime:?}");
        assert!(facts.not_after.since(now) >= lifetime / 2, "half of {lifetime:?} is gone when it comes");
    }
}

pub(super) fn the_longest_lifetime_is_kept(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    for asked in [None, Some(Duration::from_hours(24 * 365 * 50))] {
        let mut order = order(bench, &format!("job-{}", asked.is_some()), &[known_name(bench)]);
        order.terms.lifetime = asked;
        let facts = leaf(&fulfil(bench, &*issuer, &order).unwrap());
        if let Some(longest) = issuer.capabilities().max_lifetime {
            assert!(facts.not_after.since(facts.not_before) <= longest);
        }
    }
}

pub(super) fn serial_numbers_do_not_repeat(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    let orders = if issuer.capabilities().pace == IssuePace::Immediate { 200 } else { 10 };
    let mut order = order(bench, "job-0", &[known_name(bench)]);
    let mut serials = BTreeSet::new();
    for number in 0..orders {
        order.id = format!("job-{number}");
        serials.insert(leaf(&fulfil(bench, &*issuer, &order).unwrap()).serial);
    }
    assert_eq!(serials.len(), orders);
    assert!(serials.iter().all(|serial| serial.as_bytes().len() >= 8), "fewer than 64 bits can be guessed");
}

pub(super) fn a_renewal_is_another_certificate(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    let mut order = order(bench, "job-1", &[known_name(bench)]);
    let first = leaf(&fulfil(bench, &*issuer, &order).unwrap());
    bench.world.fakes.clock.advance(Duration::from_hours(16));
    "job-2".clone_into(&mut order.id);
    let renewal_info_id = RenewalInfoId::of(&first);
    order.replaces = Some(Predecessor { serial: first.serial.clone(), renewal_info_id });
    let second = leaf(&fulfil(bench, &*issuer, &order).unwrap());
    assert_ne!(second.serial, first.serial);
    assert!(second.not_after > first.not_after);
}
