//! What a simulation is made of.

use std::time::Duration;

use super::Defect;
use crate::domain::KeyAlgorithm;
use crate::engine::Cadence;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3_600);
/// How long an engine may keep one job by one claim: steps are limited, and repeated while the store is away.
pub(super) const LONGEST_HOLD: Duration = Duration::from_secs(1_800);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// One simulation. The same configuration tells the same story, byte by byte, on any machine.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Everything that is random follows from it.
    pub seed: u64,
    /// How many certificates; every kind of deployment takes its turn.
    pub certificates: u16,
    /// Within how long the certificates arrive, one after the other; zero for all at once. A fleet that grows is of the plain
    /// kinds: one agent has the key, and there is one place or none.
    pub arrivals: Duration,
    /// How many engines share the store.
    pub engines: u16,
    /// How many agents, each on its own host.
    pub agents: u16,
    /// How long misfortune strikes. Then the world heals, and must come to rest.
    pub duration: Duration,
    /// How long certificates are valid, in whole seconds.
    pub lifetime: Duration,
    /// What goes wrong.
    pub faults: Faults,
    /// Whether things are on the move: freeze windows, approvals and rules that people change, a CA that suggests when to renew,
    /// an issuer to fall back on, a second notifier, dead notices that are put back, and places that hide what they serve.
    pub affairs: bool,
    /// How often everybody looks.
    pub pace: Pace,
    /// What keys are made: Ed25519 is the fastest, ECDSA signs as RFC 6979 says.
    pub key_algorithm: KeyAlgorithm,
    /// A planted defect, to show that it is found.
    pub defect: Option<Defect>,
    /// Whether the report carries the whole log, not only its digest.
    pub keep_log: bool,
}

/// How often everybody looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Every six hours: years pass in seconds. Signals and due times do the rest.
    Slow,
    /// As in production: every second, and heartbeats every minute.
    Production,
}

/// What goes wrong, each as "one in so many"; 0 for never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// The longest that one call to a store, a server or a disk takes.
    pub latency: Duration,
    /// Calls of an engine to its store that break, before or after the deed.
    pub store: u64,
    /// Calls of an agent or an operator to an engine that break, and of those that arrive twice.
    pub wire: u64,
    /// HTTP calls that break, before or after the deed.
    pub http: u64,
    /// Operations on a host's disk that fail, before or after the deed.
    pub files: u64,
    /// Polls from one misfortune to the next, on average: crashes, partitions, wrong clocks, outages.
    pub misfortune: u64,
}

impl Faults {
    /// Nothing goes wrong and nothing takes time.
    pub const NONE: Self = Self { latency: Duration::ZERO, store: 0, wire: 0, http: 0, files: 0, misfortune: 0 };
    /// Nothing goes wrong, but calls take time, so that they overlap.
    pub const LATE: Self = Self { latency: Duration::from_millis(40), ..Self::NONE };
    /// Everything goes wrong now and then.
    pub const STORM: Self =
        Self { latency: Duration::from_millis(40), store: 300, wire: 40, http: 40, files: 150, misfortune: 1_500 };
}

impl SimConfig {
    /// A quiet world: one engine, one agent, a year.
    pub fn quiet(seed: u64) -> Self {
        Self {
            seed,
            certificates: 4,
            arrivals: Duration::ZERO,
            engines: 1,
            agents: 1,
            duration: DAY * 365,
            lifetime: DAY * 47,
            faults: Faults::NONE,
            affairs: false,
            pace: Pace::Slow,
            key_algorithm: KeyAlgorithm::Ed25519,
            defect: None,
            keep_log: false,
        }
    }

    /// A fleet: so many certificates that arrive within a month, one engine, twenty agents, and nothing goes wrong.
    pub fn fleet(seed: u64, certificates: u16, duration: Duration) -> Self {
        Self { certificates, arrivals: DAY * 31, agents: 20, duration, ..Self::quiet(seed) }
    }

    /// A stormy world that looks rarely: two engines, three agents, many short lives within a month.
    pub fn stormy(seed: u64) -> Self {
        Self {
            certificates: 8,
            engines: 2,
            agents: 3,
            duration: DAY * 30,
            lifetime: DAY * 9,
            faults: Faults::STORM,
            ..Self::quiet(seed)
        }
    }

    /// A stormy world in which things are on the move, with two or three engines.
    pub fn eventful(seed: u64) -> Self {
        let engines = if seed.is_multiple_of(2) { 2 } else { 3 };
        Self { certificates: 10, engines, affairs: true, ..Self::stormy(seed) }
    }

    /// A stormy hour and a half at the pace of production, with certificates of an hour.
    pub fn production(seed: u64) -> Self {
        Self {
            certificates: 6,
            duration: MINUTE * 90,
            lifetime: HOUR,
            pace: Pace::Production,
            faults: Faults { store: 2_000, misfortune: 15_000, ..Faults::STORM },
            ..Self::stormy(seed)
        }
    }

    /// The same with this defect.
    pub fn with(self, defect: Defect) -> Self {
        Self { defect: Some(defect), ..self }
    }

    /// The names of the notifiers.
    pub(super) fn notifiers(&self) -> &'static [&'static str] {
        if self.affairs { &["mail", "pager"] } else { &["mail"] }
    }

    pub(super) fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }
}

impl Pace {
    pub(super) fn cadence(self) -> Cadence {
        match self {
            // What others let go of is looked for each second: the shorter, the more workers meet.
            Self::Production => Cadence {
                job_processor: Duration::from_secs(1),
                notification_process: Duration::from_secs(1),
                ..Cadence::default()
            },
            Self::Slow => Cadence {
                poll: HOUR * 6,
                renewal_check: HOUR * 6,
                job_processor: HOUR * 6,
                job_timeout: HOUR * 6,
                agent_health: HOUR * 6,
                short_lived_expiry: HOUR * 6,
                crl_generation: HOUR * 6,
                notification_process: HOUR * 6,
                notification_retry: HOUR * 6,
                long_poll: HOUR * 6,
                agent_lease: HOUR,
                seal: HOUR * 6,
                checkpoint: DAY,
                reads: DAY,
                ..Cadence::default()
            },
        }
    }

    pub(super) fn heartbeat(self) -> Duration {
        match self {
            Self::Production => MINUTE,
            Self::Slow => HOUR * 12,
        }
    }

    /// How long an agent's question for work is held.
    pub(super) fn agent_poll(self) -> Duration {
        match self {
            Self::Production => Duration::from_secs(30),
            Self::Slow => HOUR * 6,
        }
    }

    /// How long the world stays quiet at the end.
    pub(super) fn quiet(self) -> Duration {
        match self {
            Self::Production => MINUTE * 45,
            Self::Slow => DAY * 3,
        }
    }

    /// What began longer ago than this in a quiet world must be done.
    pub(super) fn settled(self) -> Duration {
        match self {
            Self::Production => MINUTE * 10,
            Self::Slow => HOUR * 14,
        }
    }

    /// How long a misfortune lasts at most.
    pub(super) fn outage(self) -> Duration {
        match self {
            Self::Production => MINUTE * 5,
            Self::Slow => HOUR * 12,
        }
    }
}
