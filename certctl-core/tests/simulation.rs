//! What the simulator promises: it repeats, and it is not blind.
#![expect(clippy::disallowed_methods, reason = "tests choose their size by the environment, and replay in threads")]

use std::collections::BTreeSet;
use std::thread;

use certctl_core::domain::KeyAlgorithm;
use certctl_core::testing::sim::{Faults, Sim, SimConfig, SimReport};

/// Seeds of the short form, and of the long one.
fn seeds(short: u64, long: u64) -> std::ops::Range<u64> {
    0..if std::env::var_os("CERTCTL_TEST_LONG").is_some() { long } else { short }
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
