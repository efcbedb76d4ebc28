//! What would happen to the certificates of a store: the engine itself, on a virtual clock, over a copy of how things stand.
//!
//! CAs, agents, hosts and notifiers are stand-ins that do what they are asked; nobody approves, accepts or mends anything. So
//! whatever expires, expires by its rules, or because of whom the copy knows to be away.

mod copy;
mod prepare;
mod report;
mod stand_ins;
mod watch;

pub use copy::StoreCopy;
pub use report::{DayLoad, Expiry, Fleet, ForecastReport, Happening, Load, Moment, Reason, Told, ToldBy};

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::config::{DAY, Pace};
use super::executor::{Executor, Node, NodeSpawner};
use super::link::{Link, Weather};
use super::machines::Machine;
use super::wire::{RemoteControl, Servers, Wire};
use super::world::{HostFiles, HostTls, Served, Verdict};
use crate::agent::{AgentConfig, AgentRuntime};
use crate::decide::explain::{GateName, GateVerdict};
use crate::decide::routing::Route;
use crate::domain::{AgentId, CertificateId, Lifecycle, Principal, SCHEMAS, Timestamp};
use crate::engine::{Engine, NotifierConfig, SetupSecret};
use crate::error::Error;
use crate::ops::certificate::{Explain, Explanation};
use crate::ports::{Clock, Monotonic, Ports};
use crate::seal::SealingKey;
use crate::storage::{ApplyError, MemoryStorage};
use crate::testing::sim::chance::Chance;
use crate::testing::{
    FakeDialer, FakeTls, ManualClock, MemoryFiles, MemoryNames, ScriptedCommands, ScriptedHttp, SeededRng, TestKeys,
    block_on,
};
use watch::Watched;

/// So many polls at one moment are a loop without end.
const SPIN: u64 = 100_000;
const ENGINE: Node = Node(1);
/// Node numbers below belong to the engine.
const FIRST_AGENT: u16 = 1_000;

/// What is simulated.
#[derive(Clone, Debug)]
pub struct ForecastConfig {
    /// How many days: 1 to [`MOST_DAYS`](Self::MOST_DAYS).
    pub days: u32,
    /// Everything that is random follows from it.
    pub seed: u64,
    /// The first moment; [`StoreCopy::last_moment`] where none is given.
    pub from: Option<Timestamp>,
    /// No CA issues for longer than so many days, as CAs of browsers may not: 200, 100 and at last 47 (ballot SC-081).
    pub lifetime_days: Option<u32>,
    /// Ids of issuers and agents that are not there all the time.
    pub down: BTreeSet<String>,
    /// Who is told, by name and kind; of the rest of their configuration nothing is used but the addresses of `to`.
    pub notifiers: Vec<NotifierConfig>,
    /// Who is told of what; [`Route`].
    pub routes: Vec<Route>,
}

impl ForecastConfig {
    /// Ten years.
    pub const MOST_DAYS: u32 = 3_650;

    /// So many days with this seed, and nothing else out of the ordinary.
    pub fn new(days: u32, seed: u64) -> Self {
        Self {
            days,
            seed,
            from: None,
            lifetime_days: None,
            down: BTreeSet::new(),
            notifiers: Vec::new(),
            routes: Vec::new(),
        }
    }
}

/// Why nothing was simulated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForecastError {
    /// Too few or too many days.
    #[error("{0} days cannot be simulated; choose 1 to {most}", most = ForecastConfig::MOST_DAYS)]
    Days(u32),
    /// No lifetime.
    #[error("certificates cannot live for {0} days; choose 1 to {most}", most = ForecastConfig::MOST_DAYS)]
    Lifetime(u32),
    /// Neither an issuer nor an agent.
    #[error("the store has no issuer and no agent `{0}` that could be down")]
    NobodyOfThatName(String),
    /// More agents than a simulation has room for.
    #[error("{0} agents are more than a simulation has room for")]
    TooManyAgents(usize),
    /// The copy does not fit together.
    #[error("the store cannot be copied: {0}")]
    Copy(#[source] ApplyError),
    /// The engine refused.
    #[error("the engine cannot be simulated: {0}")]
    Engine(#[from] Error),
    /// The engine did something that must not happen: a defect of the program.
    #[error("the simulation went wrong: {0}; please report this with the seed")]
    Broken(String),
}

/// What would happen within the next days to the certificates of a store.
///
/// # Errors
/// [`ForecastError`].
pub fn forecast(copy: &StoreCopy, config: &ForecastConfig) -> Result<ForecastReport, ForecastError> {
    check(copy, config)?;
    let mut forecast = Forecast::begin(copy, config)?;
    forecast.run()?;
    Ok(forecast.report())
}

fn check(copy: &StoreCopy, config: &ForecastConfig) -> Result<(), ForecastError> {
    if !(1..=ForecastConfig::MOST_DAYS).contains(&config.days) {
        return Err(ForecastError::Days(config.days));
    }
    if let Some(days) = config.lifetime_days.filter(|days| !(1..=ForecastConfig::MOST_DAYS).contains(days)) {
        return Err(ForecastError::Lifetime(days));
    }
    let known = |id: &String| {
        copy.issuers.iter().any(|issuer| issuer.id.as_str() == id)
            || copy.agents.iter().any(|agent| agent.id.as_str() == id)
    };
    match config.down.iter().find(|id| !known(id)) {
        Some(unknown) => Err(ForecastError::NobodyOfThatName(unknown.clone())),
        None => Ok(()),
    }
}

struct Forecast<'a> {
    copy: &'a StoreCopy,
    config: &'a ForecastConfig,
    from: Timestamp,
    clock: ManualClock,
    executor: Executor,
    store: Arc<Watched>,
    engine: Engine,
    servers: Servers,
    verdict: Verdict,
    served: Served,
    /// Agents that do not answer, and why.
    away: BTreeMap<AgentId, String>,
    expired: Vec<Expiry>,
}

impl<'a> Forecast<'a> {
    fn begin(copy: &'a StoreCopy, config: &'a ForecastConfig) -> Result<Self, ForecastError> {
        let from = config.from.unwrap_or_else(|| copy.last_moment());
        let clock = ManualClock::starting_at(from);
        let (executor, verdict) = (Executor::default(), Verdict::default());
        let memory = || MemoryStorage::new(SCHEMAS, Arc::new(clock.clone()));
        let store = Arc::new(Watched::new(memory(), clock.clone()));
        let ports = ports(&clock, &executor, ENGINE, config.seed);
        let sealing = block_on(prepare::engine(Arc::new(memory()), ports.clone(), &ForecastConfig::new(1, 0), copy))?;
        let changes = prepare::changes(copy, config, &sealing, from)?;
        block_on(store.begin_with(changes)).map_err(ForecastError::Copy)?;
        let engine = block_on(prepare::engine(watch::shared(&store), ports, config, copy))?;
        let servers = Servers::default();
        servers.up(ENGINE, engine.clone());
        let served = Served::new(verdict.clone());
        let away = prepare::away(copy, config);
        let mut forecast = Self {
            copy,
            config,
            from,
            clock,
            executor,
            store,
            engine,
            servers,
            verdict,
            served,
            away,
            expired: Vec::new(),
        };
        forecast.start()?;
        Ok(forecast)
    }

    fn start(&mut self) -> Result<(), ForecastError> {
        let engine = self.engine.clone();
        self.executor.spawn(ENGINE, Box::pin(async move { engine.run_until(std::future::pending()).await }));
        let here = prepare::agents(self.copy).filter(|agent| !self.away.contains_key(&agent.id));
        let mut node = FIRST_AGENT;
        for agent in here {
            self.boot(Node(node), &agent.id, &agent.hostname);
            node = node.checked_add(1).ok_or(ForecastError::TooManyAgents(self.copy.agents.len()))?;
        }
        Ok(())
    }

    fn boot(&self, node: Node, id: &AgentId, hostname: &str) {
        let machine = Machine::new(&self.clock);
        let link = || Link {
            clock: machine.clock.clone(),
            chance: Chance::derive(self.config.seed, id.as_str(), 0),
            weather: Weather::default(),
            latency: Duration::ZERO,
            breaks: 0,
            cut: Arc::default(),
        };
        let files = HostFiles { disk: machine.disk.clone(), link: link(), served: self.served.clone(), spoiled: None };
        let tls = HostTls { served: self.served.clone(), link: link() };
        let ports = ports(&self.clock, &self.executor, node, self.config.seed);
        let ports = Ports { files: Arc::new(files), tls: Arc::new(tls), ..ports };
        let wire = Wire { servers: self.servers.clone(), executor: self.executor.clone(), link: link() };
        let control = Arc::new(RemoteControl { wire, agent: id.clone(), stale: None });
        let agent = AgentConfig {
            heartbeat: Pace::Slow.heartbeat(),
            poll: Pace::Slow.agent_poll(),
            hostname: hostname.to_owned(),
            ..AgentConfig::new(id.clone(), PathBuf::from("/agent"))
        };
        let id = id.clone();
        self.executor.spawn(
            node,
            Box::pin(async move {
                match AgentRuntime::start(control, ports, stand_ins::registry(), agent).await {
                    Ok(runtime) => drop(runtime.run_until(std::future::pending()).await),
                    Err(error) => tracing::debug!(agent = %id, error = %error, "a simulated agent does not start"),
                }
            }),
        );
    }

    fn run(&mut self) -> Result<(), ForecastError> {
        let end = Monotonic(0) + DAY * self.config.days;
        loop {
            let mut polls = 0;
            while self.executor.step() {
                polls += 1;
                if polls > SPIN {
                    return Err(ForecastError::Broken(format!("{SPIN} polls at one moment")));
                }
            }
            if let Some(what) = self.verdict.found() {
                return Err(ForecastError::Broken(what));
            }
            self.note_ends()?;
            if self.clock.monotonic() >= end {
                return Ok(());
            }
            let next = self.clock.next_deadline().unwrap_or(end).min(end);
            let expiry = self.store.seen().ends.first().map(|(at, _)| Monotonic(0) + at.since(self.from));
            self.clock.advance_to(expiry.unwrap_or(next).min(next));
        }
    }

    /// Asks of each certificate that is at its end, at that very moment, why it was not renewed.
    fn note_ends(&mut self) -> Result<(), ForecastError> {
        loop {
            let now = self.clock.now();
            let next = self.store.seen().next_end(now);
            let Some((at, id)) = next else { return Ok(()) };
            // Those that had expired before are counted, and not foretold.
            if at <= self.from {
                continue;
            }
            let explain = Explain { id: id.clone() };
            let explanation = block_on(self.engine.execute(&Principal::embedder("simulation"), explain))?;
            let reasons = self.reasons(&id, &explanation);
            let first = reasons.first().map(|first| first.reason.clone()).unwrap_or_default();
            self.store.seen().expired(at, &id, &first);
            let name = explanation.certificate.name;
            self.expired.push(Expiry { certificate_id: id, name, expires_at: at, reasons, renewed_at: None });
        }
    }

    fn reasons(&self, id: &CertificateId, explanation: &Explanation) -> Vec<Reason> {
        let gates = |verdict| {
            let gates = explanation.gates.iter().filter(move |gate| gate.verdict == verdict);
            gates.map(|gate| Reason { gate: gate.name.to_string(), reason: gate.reason.clone() })
        };
        let mut reasons: Vec<Reason> = gates(GateVerdict::Closed).collect();
        for holder in prepare::holders(self.copy, id) {
            if let Some(why) = self.away.get(&holder) {
                reasons
                    .push(Reason { gate: "agent".into(), reason: format!("agent `{holder}` has the key, and {why}") });
            }
        }
        if let Some(failure) = self.store.seen().failures.get(id) {
            reasons.push(Reason { gate: "failure".into(), reason: failure.clone() });
        }
        reasons.extend(gates(GateVerdict::Waiting));
        if reasons.is_empty() {
            let policy = explanation.gates.iter().find(|gate| gate.name == GateName::Deadline);
            let reason = policy.map_or_else(|| "nothing holds it back".into(), |gate| gate.reason.clone());
            reasons.push(Reason { gate: GateName::Deadline.to_string(), reason });
        }
        reasons
    }

    fn report(self) -> ForecastReport {
        let Self { copy, config, from, store, away, expired, .. } = &self;
        let seen = store.seen();
        let issued: u64 = seen.issued.values().sum();
        let (mut peak, mut peak_day) = (0, None);
        for (day, count) in &seen.issued {
            if *count > peak {
                (peak, peak_day) = (*count, Some(*day));
            }
        }
        let later = |expiry: &Expiry| {
            let renewed = seen.renewed.get(&expiry.certificate_id);
            renewed.into_iter().flatten().copied().find(|at| *at >= expiry.expires_at)
        };
        let expiring = expired.iter().map(|expiry| Expiry { renewed_at: later(expiry), ..expiry.clone() }).collect();
        let by = |((event, severity, notifier), count): (&(_, _, String), &u64)| ToldBy {
            event: *event,
            severity: *severity,
            notifier: notifier.clone(),
            count: *count,
        };
        ForecastReport {
            from: *from,
            to: *from + DAY * config.days,
            days: config.days,
            seed: config.seed,
            lifetime_days: config.lifetime_days,
            down: config.down.iter().cloned().collect(),
            certificates: fleet(copy, *from, away),
            renewals: Load {
                issued,
                deployed: seen.deployed,
                failed_jobs: seen.failed,
                peak,
                peak_day,
                mean_hundredths: issued * 100 / u64::from(config.days),
                per_day: seen.issued.iter().map(|(day, issued)| DayLoad { day: *day, issued: *issued }).collect(),
            },
            expiring,
            notifications: Told { total: seen.told.values().sum(), by: seen.told.iter().map(by).collect() },
            timeline: seen.timeline.clone(),
            assumptions: prepare::assumptions(copy, config),
        }
    }
}

fn fleet(copy: &StoreCopy, from: Timestamp, away: &BTreeMap<AgentId, String>) -> Fleet {
    let auto: BTreeSet<_> = copy.policies.iter().filter(|policy| policy.auto_renew).map(|policy| &policy.id).collect();
    let kept = || copy.certificates.iter().filter(|c| !matches!(c.lifecycle, Lifecycle::Archived | Lifecycle::Revoked));
    let count = |number: usize| number as u64;
    let silent = prepare::agents(copy).filter(|agent| away.contains_key(&agent.id)).count();
    Fleet {
        total: count(kept().count()),
        renew_by_themselves: count(kept().filter(|c| auto.contains(&c.renewal_policy_id)).count()),
        expired_already: count(kept().filter(|c| c.lifecycle == Lifecycle::Issued && c.expires_at <= from).count()),
        agents_online: count(prepare::agents(copy).count() - silent),
        agents_silent: count(silent),
    }
}

fn ports(clock: &ManualClock, executor: &Executor, node: Node, seed: u64) -> Ports {
    Ports {
        clock: Arc::new(super::clock::NodeClock::new(clock)),
        rng: Arc::new(SeededRng::derive(seed, &format!("node {}", node.0), 1)),
        keys: Arc::new(TestKeys),
        spawner: Arc::new(NodeSpawner { executor: executor.clone(), node, stalls: None }),
        http: Arc::new(ScriptedHttp::new()),
        dialer: Arc::new(FakeDialer::new()),
        resolver: Arc::new(MemoryNames::new()),
        tls: Arc::new(FakeTls::new()),
        commands: Arc::new(ScriptedCommands::new()),
        files: Arc::new(MemoryFiles::new()),
    }
}

/// Tasks hold the executor, which holds the tasks.
impl Drop for Forecast<'_> {
    fn drop(&mut self) {
        self.executor.clear();
    }
}
