//! One seed, one world: engines, agents, a CA, a mailbox, a store, and misfortune. Nothing else decides anything.
//!
//! Everything runs on one thread: the task that was woken first is polled first, and when all of them wait, time jumps to
//! the earliest deadline. So the same configuration tells the same story, byte by byte, in any process and thread.

mod broken_store;
mod chance;
mod chaos;
mod clock;
mod config;
mod connectors;
mod defect;
mod executor;
pub mod forecast;
mod http;
mod link;
mod machines;
mod operator;
mod recorder;
mod reply;
mod report;
mod sabotage;
mod store;
mod wire;
mod world;

pub use config::{Faults, Pace, SimConfig};
pub use defect::Defect;
pub use report::{SimFailure, SimReport};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chance::Chance;
use chaos::Relief;
use clock::NodeClock;
use config::DAY;
use executor::{Executor, Node};
use link::Weather;
use machines::{Machine, Site};
use operator::{DESK, Operator};
use recorder::{Recorder, Rest, Setting};
use world::{AuthorityTerms, Mailbox, RemoteAuthority, Sabotaged, Served, Verdict, World};

use crate::ports::{Clock, Monotonic};
use crate::storage::Storage;
use crate::testing::{ManualClock, TestKeys, block_on};

/// So many polls at one moment are a loop without end.
const SPIN: u64 = 20_000;
/// Between two comparisons of the whole store with what was acknowledged.
const SWEEP: Duration = Duration::from_secs(10 * 86_400);

/// A simulation, ready to run.
pub struct Sim {
    site: Site,
    truth: ManualClock,
    verdict: Verdict,
    chaos: Chance,
    engines: BTreeMap<Node, Machine>,
    hosts: Vec<Machine>,
    /// Agents that are down.
    down: BTreeSet<u16>,
    /// By time, then by order of arrangement.
    reliefs: BTreeMap<(Monotonic, u64), Relief>,
    misfortunes: u64,
    crashes: u64,
    polls: u64,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").field("config", &self.site.config).finish_non_exhaustive()
    }
}

impl Sim {
    /// A world that has not begun.
    ///
    /// # Panics
    /// When the key of the simulated CA cannot be made, such as for an RSA size that nobody makes.
    pub fn new(config: SimConfig) -> Self {
        let (seed, defect) = (config.seed, config.defect);
        Self::with_store(config, |truth| Arc::new(broken_store::Store::new(truth, seed, defect)))
    }

    /// The same over a store of yours, whose clock is the simulated one. The store answers before its future is polled a second
    /// time: what waits for real time would wait for ever, because simulated time stands still meanwhile.
    ///
    /// # Panics
    /// As [`new`](Self::new) does.
    pub fn over(config: SimConfig, store: impl FnOnce(Arc<dyn Clock>) -> Arc<dyn Storage>) -> Self {
        Self::with_store(config, |truth| store(Arc::new(truth.clone())))
    }

    fn with_store(config: SimConfig, store: impl FnOnce(&ManualClock) -> Arc<dyn Storage>) -> Self {
        let (truth, verdict, executor) = (ManualClock::new(), Verdict::default(), Executor::default());
        let world = Arc::new(world(&config, &truth, &verdict));
        let store = store(&truth);
        let prompt = config.faults == Faults::NONE && config.engines == 1;
        let setting = Setting {
            clock: truth.clone(),
            verdict: verdict.clone(),
            world: Arc::clone(&world),
            keep_log: config.keep_log,
            promptness: prompt.then_some(Duration::from_secs(60)),
        };
        let site = Site {
            executor,
            weather: Weather::default(),
            recorder: Arc::new(Recorder::new(store, setting)),
            world,
            served: Served::new(verdict.clone()),
            servers: wire::Servers::default(),
            bus: store::Bus::default(),
            config,
        };
        let engines = (1..=site.config.engines).map(|node| (Node(node), Machine::new(&truth))).collect();
        let hosts = (0..site.config.agents).map(|_| Machine::new(&truth)).collect();
        Self {
            chaos: Chance::derive(site.config.seed, "chaos", 0),
            site,
            truth,
            verdict,
            engines,
            hosts,
            down: BTreeSet::new(),
            reliefs: BTreeMap::new(),
            misfortunes: 0,
            crashes: 0,
            polls: 0,
        }
    }

    /// Runs the world to its end.
    ///
    /// # Errors
    /// The first promise that was broken.
    pub fn run(mut self) -> Result<SimReport, Box<SimFailure>> {
        self.start();
        self.drive();
        let simulated = Monotonic(0).until(self.truth.monotonic());
        let (seed, switches) = (self.site.config.seed, self.site.served.changes());
        let mut model = self.site.recorder.model();
        let log = model.log.take();
        if let Some(what) = self.verdict.found() {
            return Err(Box::new(SimFailure { seed, what, simulated, tail: model.log.tail(), log }));
        }
        let counts = model.counts;
        Ok(SimReport {
            seed,
            digest: model.log.digest(),
            events: model.log.lines(),
            polls: self.polls,
            simulated,
            versions: counts.versions,
            issued_on: std::mem::take(&mut model.issued_on),
            deployments: counts.deployments,
            switches,
            notices: counts.notices,
            failed_attempts: counts.failed_attempts,
            exhausted_jobs: counts.exhausted_jobs,
            crashes: self.crashes,
            actions: model.actions.iter().map(|(action, count)| ((*action).to_owned(), *count)).collect(),
            log,
        })
    }

    fn agent_node(number: u16) -> Node {
        Node(1_000 + number)
    }

    fn start(&mut self) {
        for (node, machine) in &mut self.engines {
            self.site.boot_engine(*node, machine);
        }
        for (number, machine) in (0..).zip(&mut self.hosts) {
            self.site.boot_agent(Self::agent_node(number), number, machine);
        }
        let operator = Operator::new(&self.site, NodeClock::new(&self.truth), self.verdict.clone());
        self.site.executor.spawn(DESK, Box::pin(operator.work()));
    }

    /// Polls what is ready; when nothing is, lets time jump to the next alarm.
    fn drive(&mut self) {
        let storm_ends = Monotonic(0) + self.site.config.duration;
        let end = storm_ends + self.site.config.pace.quiet();
        let mut next_sweep = Monotonic(0) + SWEEP;
        while self.verdict.found().is_none() {
            self.poll_all();
            let now = self.truth.monotonic();
            if now >= next_sweep {
                next_sweep = now + SWEEP;
                block_on(self.site.recorder.sweep());
            }
            if now >= storm_ends && !self.site.weather.is_calm() {
                self.heal();
                continue;
            }
            if now >= end {
                break;
            }
            let Some(alarm) = self.truth.next_deadline() else {
                self.verdict.broken("everybody waits, and nobody for a moment: a deadlock");
                break;
            };
            match self.reliefs.first_key_value().map(|(key, relief)| (*key, *relief)) {
                Some((key, relief)) if key.0 <= alarm => {
                    self.reliefs.remove(&key);
                    self.truth.advance_to(key.0);
                    self.relieve(relief);
                }
                _ => self.truth.advance_to(alarm.min(if self.site.weather.is_calm() { end } else { storm_ends })),
            }
            self.site.recorder.model().check_ends();
        }
        if self.verdict.found().is_none() {
            self.judge();
        }
    }

    fn poll_all(&mut self) {
        let mut here = 0;
        while self.site.executor.step() {
            self.polls += 1;
            here += 1;
            if here > SPIN {
                self.verdict.broken(format!("{SPIN} polls at one moment: a loop without end"));
            }
            if self.verdict.found().is_some() {
                return;
            }
            if !self.site.weather.is_calm() && self.chaos.one_in(self.site.config.faults.misfortune) {
                self.misfortune();
            }
        }
    }

    /// At the end, when the world has been quiet for long.
    fn judge(&self) {
        let config = &self.site.config;
        block_on(self.site.recorder.sweep());
        self.site.recorder.at_rest(&Rest {
            certificates: config.certificates.into(),
            served: &self.site.served,
            settled: config.pace.settled(),
            notifiers: config.notifiers(),
            requeued: config.affairs,
            flawless: config.faults == Faults::NONE,
        });
        // Loops, and long polls of agents that went away; no more.
        let (tasks, most) = (self.site.executor.tasks(), 20 + 6 * (self.engines.len() + self.hosts.len()));
        if tasks > most {
            self.verdict.broken(format!("{tasks} tasks are left, {most} would do: a leak"));
        }
    }
}

/// Tasks hold the executor, which holds the tasks.
impl Drop for Sim {
    fn drop(&mut self) {
        self.site.executor.clear();
    }
}

#[expect(clippy::expect_used, reason = "a world without its CA cannot begin")]
fn world(config: &SimConfig, truth: &ManualClock, verdict: &Verdict) -> World {
    let signer = block_on(world::signer(&TestKeys, config.key_algorithm, config.seed)).expect("a key for the CA");
    let terms = AuthorityTerms {
        clock: truth.clone(),
        seed: config.seed,
        signer,
        latency: config.faults.latency * 50,
        lifetime: config.lifetime.min(DAY * 398),
        reuses_serials: config.has(Defect::SerialReused),
        verdict: verdict.clone(),
    };
    let authority = block_on(RemoteAuthority::new(terms)).expect("a simulated CA");
    World { authority, mailbox: Mailbox::new(config.has(Defect::NoticeVanishes)) }
}
