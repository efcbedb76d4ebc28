//! What the simulator promises: it repeats, and it is not blind.
#![expect(clippy::disallowed_methods, reason = "tests choose their size by the environment, and replay in threads")]

mod together;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use certctl_core::domain::KeyAlgorithm;
use certctl_core::testing::sim::{Faults, Sim, SimConfig, SimReport};
use together::for_all;

/// Seeds of the short form, and of the long one; `CERTCTL_SEEDS=17..18` tries one again.
fn seeds(short: u64, long: u64) -> std::ops::Range<u64> {
    if let Ok(chosen) = std::env::var("CERTCTL_SEEDS") {
        let range = chosen.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
        return range.unwrap_or_else(|| panic!("CERTCTL_SEEDS is a range such as 17..18, not {chosen}"));
    }
    0..if is_long() { long } else { short }
}

fn is_long() -> bool {
    std::env::var_os("CERTCTL_TEST_LONG").is_some()
}

fn held(config: SimConfig) -> SimReport {
    Sim::new(config).run().unwrap_or_else(|failure| panic!("{failure:?}"))
}

#[test]
fn in_a_quiet_world_a_year_of_renewals_is_prompt_and_nothing_is_told_twice() {
    for seed in seeds(5, 100) {
        let report = held(SimConfig::quiet(seed));
        // Eleven or twelve renewals of each of four certificates that live for 47 days.
        assert!((44..=56).contains(&report.versions), "{report:?}");
        assert_eq!(report.deployments, report.switches, "{report:?}");
        assert_eq!((report.failed_attempts, report.exhausted_jobs, report.crashes), (0, 0, 0), "{report:?}");
    }
}

#[test]
fn the_same_seed_tells_the_same_story_byte_by_byte() {
    for key_algorithm in [KeyAlgorithm::Ed25519, KeyAlgorithm::EcdsaP256] {
        for seed in seeds(1, 10) {
            let config = SimConfig { keep_log: true, key_algorithm, faults: Faults::LATE, ..SimConfig::stormy(seed) };
            let other = config.clone();
            let thread = thread::spawn(move || Sim::new(other).run());
            let (here, there) = (held(config), thread.join().unwrap().unwrap());
            assert!(here.log.as_ref().is_some_and(|log| log.len() > 100_000));
            assert!(here == there, "seed {seed}");
        }
    }
}

#[test]
fn other_seeds_tell_other_stories() {
    let digests: BTreeSet<String> = (0..5).map(|seed| held(SimConfig::quiet(seed)).digest).collect();
    assert_eq!(digests.len(), 5);
}

/// The random world of a seed: each kind takes its turn. `CERTCTL_SIM_LOG=FILE` keeps what happened in one that breaks.
fn world(seed: u64) -> SimConfig {
    let config = kind_of_world(seed);
    // A twentieth of the long form, of each kind, goes on until certificates were renewed again and again.
    let longest = Duration::from_secs(86_400 * if is_long() && seed % 400 < 20 { 30 } else { 10 });
    let keep_log = std::env::var_os("CERTCTL_SIM_LOG").is_some();
    SimConfig { keep_log, duration: config.duration.min(longest), ..config }
}

fn kind_of_world(seed: u64) -> SimConfig {
    match seed % 20 {
        0 => SimConfig::production(seed),
        1..=9 => SimConfig::stormy(seed),
        _ => SimConfig::eventful(seed),
    }
}

/// What must happen in some of these worlds, by its audit event.
const EVENTS: &[&str] = &[
    "certificate_released",
    "certificate_revoked",
    "crl_generated",
    "expiration_alert_sent",
    "issuer_breaker_opened",
    "issuer_failed_over",
    "issuer_told_of_revocation",
    "job_approved",
    "job_rejected",
    "notification_requeued",
    "policy_rule_updated",
    "policy_violation_detected",
    "renewal_advised",
    "update_profile",
    "update_renewal_policy",
    "job_verification_failed",
];

#[test]
fn no_random_world_breaks_a_promise() {
    let seeds: Vec<u64> = seeds(500, 20_000).collect();
    let outcomes = for_all(&seeds, |seed| Sim::new(world(*seed)).run());
    let failures: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    for failure in &failures {
        eprintln!("{failure}");
        if let (Some(path), Some(log)) = (std::env::var_os("CERTCTL_SIM_LOG"), &failure.log) {
            std::fs::write(path, log).unwrap();
        }
    }
    assert!(failures.is_empty(), "{} of {} seeds: {:?}", failures.len(), seeds.len(), failures[0]);
    // Worlds in which nothing happens would promise little.
    let all = |count: fn(&SimReport) -> u64| outcomes.iter().flatten().map(count).sum::<u64>();
    let (crashes, failed) = (all(|report| report.crashes), all(|report| report.failed_attempts));
    let (versions, exhausted) = (all(|report| report.versions), all(|report| report.exhausted_jobs));
    eprintln!(
        "{} seeds: {versions} versions, {crashes} crashes, {failed} failed attempts, {exhausted} given up",
        seeds.len()
    );
    let seeds = seeds.len() as u64;
    let mut actions: BTreeMap<&str, u64> = BTreeMap::new();
    for (action, count) in outcomes.iter().flatten().flat_map(|report| &report.actions) {
        *actions.entry(action).or_default() += count;
    }
    eprintln!("{actions:?}");
    for action in EVENTS {
        assert!(actions.contains_key(action), "never: {action}");
    }
    assert!(crashes > seeds && failed > seeds && versions > 10 * seeds, "{crashes} {failed} {versions}");
}

#[test]
fn a_fleet_is_renewed_for_a_year_and_its_load_is_spread() {
    let (certificates, days) = if is_long() { (1_000, 365) } else { (300, 100) };
    let report = held(SimConfig::fleet(1, certificates, Duration::from_secs(days * 86_400)));
    assert_eq!((report.failed_attempts, report.exhausted_jobs, report.crashes), (0, 0, 0), "{report:?}");
    // 47 days, of which two thirds go by from one renewal to the next, less up to a thirtieth: nothing is renewed twice.
    let certificates = u64::from(certificates);
    let (fewest, most) = (certificates * (days - 31) / 32, certificates * (days + 31) / 29);
    assert!((fewest..=most).contains(&report.versions), "{} of {fewest} to {most}", report.versions);
    // Since all of them are there.
    let days: Vec<u64> = report.issued_on.iter().skip(31).take(usize::try_from(days - 31).unwrap()).copied().collect();
    let (sum, peak) = (days.iter().sum::<u64>(), days.iter().max().copied().unwrap_or(0));
    eprintln!("{sum} renewals in {} days, at most {peak} in one", days.len());
    assert!(peak * days.len() as u64 <= 2 * sum, "{peak} in one day of {days:?}");
}
