//! The simulator is not blind: every planted defect is found, by the oracle that is there for it, and the same seeds pass
//! without it.

#![expect(clippy::disallowed_methods, reason = "tests choose their size by the environment")]

mod together;

use std::collections::BTreeSet;

use certctl_core::testing::sim::{Defect, Faults, Sim, SimConfig};
use together::for_all;

/// How many seeds a defect has to show itself.
const SEEDS: u64 = 60;
/// So many of them are tried in the long form also after it did, to see how often it does.
const LONG: u64 = 20;

/// The world in which a defect shows, and a part of what its oracle says. A new defect does not compile without its line.
fn expected(defect: Defect) -> (World, &'static str) {
    match defect {
        Defect::ForgetsWrites => (World::Quiet, "lost"),
        Defect::NoFencing => (World::Stormy, "lost update"),
        Defect::NoUniqueOpenJob => (World::Stormy, "two open issuing jobs"),
        Defect::SerialReused => (World::Quiet, "was used twice"),
        Defect::ClaimsHeldRows => (World::Stormy, "before it was due"),
        Defect::ClockGoesBack => (World::Quiet, "clock went back"),
        Defect::LeaseLies => (World::Torn, "two workers talk to the CA"),
        Defect::UnauditedChange => (World::Quiet, "changed without an audit event"),
        Defect::LosesAuditEvents => (World::Quiet, "rows of audit_events"),
        Defect::VersionChanges => (World::Quiet, "changed after it was issued"),
        Defect::OlderVersionDeployed | Defect::DeploymentSkipped => (World::Quiet, "does not serve the newest version"),
        Defect::KeyMismatch => (World::Quiet, "the key does not belong to the certificate"),
        Defect::NoticeVanishes => (World::Quiet, "nobody got it"),
        Defect::NoticeDoubled => (World::Quiet, "arrived 2 times"),
        Defect::RenewalsOverlooked => (World::Quiet, "expired in use"),
        Defect::TasksStall => (World::Eventful, "a leak"),
        Defect::RestartRepeats => (World::Stormy, "randomness repeats"),
        Defect::DueUnknown => (World::Quiet, "was due and overlooked"),
        Defect::AlwaysDue => (World::Quiet, "a loop without end"),
        Defect::IllegalTransition => (World::Stormy, "illegal transition"),
        Defect::AttemptsGoBack => (World::Stormy, "went back from"),
        Defect::FreezeIgnored => (World::Eventful, "within a freeze window"),
        Defect::RenewedTooSoon => (World::Stormy, "renewed again too soon"),
        Defect::AlertsRepeated => (World::Eventful, "was told twice"),
        Defect::AlertsOverlooked => (World::Stormy, "nobody was told before"),
        Defect::AlertSkipsANotifier => (World::Eventful, "only {\"mail\"} was told"),
        Defect::RequeueForgets => (World::Eventful, "is pending"),
        Defect::RevocationUndone => (World::Eventful, "is revoked no more"),
        Defect::RevocationIncomplete => (World::Eventful, "is revoked, and its version"),
        Defect::ListIncomplete => (World::Eventful, "lacks serial"),
        Defect::EntryOutdated => (World::Eventful, "say something else of version"),
        Defect::IssuerUntold => (World::Eventful, "the CA does not know"),
        Defect::StatusOutdated => (World::Eventful, "an engine says by OCSP"),
        Defect::RenewalUnplanned => (World::Quiet, "a renewal is planned: false"),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum World {
    Quiet,
    Stormy,
    Eventful,
    /// Engines lose their store, and with it their leases, all the time.
    Torn,
}

impl World {
    fn config(self, seed: u64) -> SimConfig {
        match self {
            Self::Quiet => SimConfig::quiet(seed),
            Self::Stormy => SimConfig::stormy(seed),
            Self::Eventful => SimConfig::eventful(seed),
            Self::Torn => {
                let faults = Faults { store: 60, misfortune: 400, ..Faults::STORM };
                SimConfig { engines: 3, faults, ..SimConfig::stormy(seed) }
            }
        }
    }
}

fn is_long() -> bool {
    std::env::var_os("CERTCTL_TEST_LONG").is_some()
}

/// What was found: how many of how many seeds showed it, and what else was said.
#[derive(Default)]
struct Finding {
    tried: u64,
    found: u64,
    other: BTreeSet<String>,
}

/// Until it is found; in the long form with so many seeds at least.
fn hunt(defect: Defect) -> Finding {
    let ((world, said), mut finding) = (expected(defect), Finding::default());
    for seed in 0..SEEDS {
        finding.tried += 1;
        match Sim::new(world.config(seed).with(defect)).run() {
            Err(failure) if failure.what.contains(said) => finding.found += 1,
            Err(failure) => drop(finding.other.insert(failure.what)),
            Ok(_) => {}
        }
        if finding.found > 0 && (!is_long() || finding.tried >= LONG) {
            break;
        }
    }
    finding
}

/// `CERTCTL_DEFECT=freeze_ignored,alerts_repeated` tries some.
#[test]
fn every_planted_defect_is_found_and_without_it_the_same_seeds_pass() {
    let chosen = std::env::var("CERTCTL_DEFECT").ok();
    let is_chosen =
        |defect: &&Defect| chosen.as_ref().is_none_or(|chosen| chosen.split(',').any(|one| one == defect.name()));
    let defects: Vec<Defect> = Defect::ALL.iter().filter(is_chosen).copied().collect();
    assert!(!defects.is_empty(), "CERTCTL_DEFECT names none");
    let findings = for_all(&defects, |defect| hunt(*defect));
    let (mut missed, mut seeds) = (Vec::new(), BTreeSet::new());
    for (defect, finding) in defects.iter().zip(&findings) {
        let (world, said) = expected(*defect);
        eprintln!("{defect}: in {} of {} seeds, {world:?}", finding.found, finding.tried);
        if finding.found == 0 {
            missed.push(format!("{defect}: nobody said `{said}`, but {:?}", finding.other));
        }
        seeds.extend((0..finding.tried).map(|seed| (world, seed)));
    }
    assert!(missed.is_empty(), "not found:\n{}", missed.join("\n"));
    let seeds: Vec<(World, u64)> = seeds.into_iter().collect();
    let failures = for_all(&seeds, |(world, seed)| Sim::new(world.config(*seed)).run().err());
    let failures: Vec<_> = failures.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{failures:?}");
}
