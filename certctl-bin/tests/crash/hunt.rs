//! The hunt: server and agent die in turn, each at its own points, while the other one stays up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use libtest_mimic::Failed;

use super::child::{Order, Part};
use super::desk::{Desk, First};
use super::ensure;
use super::grounds::Grounds;
use super::place::Place;
use super::points::{self, Arm};
use super::verdict::Verdict;
use super::victim::Victim;

/// How often what is going on is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long everything may take to finish after a kill.
const PATIENCE: Duration = Duration::from_secs(90);
/// Renewals in which a point is passed, unless it is passed at the start alone.
const RENEWALS: usize = 2;
/// In which an agent whose long pauses end early is heard of for sure.
const HEARTBEAT: Duration = Duration::from_secs(4);
/// How often a point is tried before it counts as one that is never passed.
const TRIES: usize = 3;

/// How much is hunted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) kills: usize,
    /// After so many rounds another certificate is ordered, so that first issuances are hit as well.
    pub(crate) orders: usize,
    /// With which half of the points it begins.
    pub(crate) half: Half,
    /// Whether somebody must have died at every point.
    pub(crate) every_point: bool,
}

/// Of the points of each part.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Half {
    First,
    Second,
}

pub(crate) struct Hunt {
    extent: Extent,
    desk: Desk,
    server: Victim,
    agent: Victim,
    grounds: Grounds,
    places: Vec<Place>,
    verdict: Verdict,
    /// Points at which somebody died.
    hit: BTreeSet<(Part, String)>,
    /// How often nobody passed a point.
    vain: BTreeMap<(Part, String), usize>,
    kills: usize,
}

/// How one dies.
#[derive(Debug)]
enum Blow {
    At(Arm),
    /// By SIGKILL, this long after the work was ordered.
    After(Duration),
}

impl Hunt {
    /// Both programs run, and the first certificates are in service.
    pub(crate) async fn begin(dir: &Path, database_url: &str, extent: Extent) -> Result<Self, Failed> {
        let port = free_port()?;
        let desk = Desk::new(port)?;
        let grounds = Grounds::below(dir, desk.ports()).await?;
        let order = |part| Order {
            part,
            database_url: database_url.to_owned(),
            port,
            agent_dir: dir.join("agent"),
            commands: grounds.commands.clone(),
            paths: vec![dir.to_owned()],
            arm: None,
        };
        let server = Victim::start(order(Part::Server), dir.join("server.log"))?;
        desk.set_up().await?;
        let agent = Victim::start(order(Part::Agent), dir.join("agent.log"))?;
        let (places, verdict, hit, vain) = (Vec::new(), Verdict::default(), BTreeSet::new(), BTreeMap::new());
        let mut hunt = Self { extent, desk, server, agent, grounds, places, verdict, hit, vain, kills: 0 };
        hunt.order_another().await?;
        hunt.order_another().await?;
        hunt.settle().await?;
        Ok(hunt)
    }

    pub(crate) async fn run(mut self) -> Result<String, Failed> {
        let mut rounds = 0;
        while self.kills < self.extent.kills {
            ensure(rounds < self.extent.kills * 3, || format!("{} kills in {rounds} rounds only", self.kills))?;
            if rounds % self.extent.orders == self.extent.orders - 1 {
                self.order_another().await?;
            }
            let (part, blow) = self.next(rounds);
            let again = rounds % 4 == 3;
            let told = |error: Failed| {
                let reason = error.message().unwrap_or_default();
                Failed::from(format!("round {rounds}, {part:?} {blow:?}, again: {again}: {reason}"))
            };
            self.strike(part, &blow, again).await.map_err(told)?;
            rounds += 1;
        }
        self.renew().await?;
        self.settle().await?;
        let tally = self.verdict.end(&self.desk, &self.places).await?;
        let missed = self.missed()?;
        let points = self.hit.len() + missed.len();
        ensure(!self.extent.every_point || missed.is_empty(), || format!("nobody died at {missed:?}"))?;
        Ok(format!(
            "{} kills in {rounds} rounds, at {} of {points} points and at random moments; {} jobs finished, {} versions at \
             {} places",
            self.kills,
            self.hit.len(),
            tally.jobs,
            tally.versions,
            self.places.len(),
        ))
    }

    /// The points at which nobody died. One that was passed without being listed is a failure: nobody would hunt there.
    fn missed(&self) -> Result<Vec<(Part, String)>, Failed> {
        let mut missed = Vec::new();
        for (part, victim) in [(Part::Server, &self.server), (Part::Agent, &self.agent)] {
            let named = points::named(part);
            let strange: Vec<_> = victim.points().into_iter().filter(|point| !named.contains(point)).collect();
            ensure(strange.is_empty(), || format!("the {part:?} passed {strange:?}, which the list does not name"))?;
            missed.extend(hunted(part).into_iter().map(|point| (part, point)).filter(|it| !self.hit.contains(it)));
        }
        Ok(missed)
    }

    /// The agent has twice as many points as the server, so it is its turn twice. Every fifth kill is one from outside.
    /// Points at which nobody died yet come first; then each is met again, at a later pass.
    fn next(&mut self, round: usize) -> (Part, Blow) {
        let (part, turn) = match round % 3 {
            0 => (Part::Server, round / 3),
            _ => (Part::Agent, round - round / 3 - 1),
        };
        let points = hunted(part);
        let first = match self.extent.half {
            Half::First => 0,
            Half::Second => points.len() / 2,
        };
        let turn_of_points = first + turn - turn / 5;
        let vain = |point: &String| self.vain.get(&(part, point.clone())).copied().unwrap_or_default();
        let mut in_turn = points.iter().cycle().skip(turn_of_points % points.len()).take(points.len());
        let fresh = |point: &&String| !self.hit.contains(&(part, (*point).clone())) && vain(point) < TRIES;
        let point = in_turn.clone().find(fresh).or_else(|| in_turn.find(|point| vain(point) == 0));
        let blow = match point {
            Some(point) if turn % 5 != 4 => {
                let pass = if is_rare(point) { 1 } else { 1 + turn_of_points / points.len() * 3 % 7 };
                Blow::At(Arm { point: point.clone(), pass: pass as u64 })
            }
            // Spread over a second, so that start, issue, renew and deploy are all hit.
            _ => Blow::After(Duration::from_millis(round as u64 * 97 % 1000)),
        };
        (part, blow)
    }

    /// Kills one of them while there is work, looks, starts it again, and waits until everything is done. With `again` it
    /// is killed a second time while it comes back, at the same point if it passes there.
    async fn strike(&mut self, part: Part, blow: &Blow, again: bool) -> Result<(), Failed> {
        let arm = match blow {
            Blow::At(arm) => Some(arm.clone()),
            Blow::After(_) => None,
        };
        self.prepare(part, arm.as_ref()).await?;
        self.victim(part).arm(arm.as_ref())?;
        self.renew().await?;
        if let Blow::After(pause) = blow {
            self.desk.pause(*pause).await;
            self.victim(part).kill()?;
        }
        let reached = self.died(part, arm.as_ref()).await?;
        if !reached {
            // Passed at the start alone, or not now.
            self.victim(part).kill()?;
            self.died(part, None).await?;
        }
        let arm = arm.map(|arm| Arm { pass: 1, ..arm }).filter(|_| again || !reached);
        self.victim(part).restart(arm.clone())?;
        if let Some(arm) = arm {
            if !self.died(part, Some(&arm)).await? {
                if !reached {
                    *self.vain.entry((part, arm.point)).or_default() += 1;
                }
                // It may be on its way there still: only one that is not armed is sure to stay up.
                self.victim(part).kill()?;
                self.died(part, None).await?;
            }
            self.victim(part).restart(None)?;
        }
        self.grounds.accept()?;
        self.settle().await
    }

    /// Makes that the next renewals pass a point which they do not pass when all goes well: an issuer makes its CA with its
    /// first certificate, once, and only a deployment that fails is reported as failed.
    async fn prepare(&mut self, part: Part, arm: Option<&Arm>) -> Result<(), Failed> {
        match (part, arm.map_or("", |arm| arm.point.as_str())) {
            (Part::Server, point) if is_of_new_issuers(point) => {
                let place = self.grounds.with_new_issuer().await?;
                self.open(place, First::Later).await
            }
            (Part::Agent, point) if point.starts_with(REFUSED) => self.grounds.refuse(),
            _ => Ok(()),
        }
    }

    /// Waits until it is dead, or until there is no more work in which it could die.
    async fn died(&mut self, part: Part, arm: Option<&Arm>) -> Result<bool, Failed> {
        let mut renewals = 0;
        let begun = self.desk.ports().clock.monotonic();
        let until = begun + PATIENCE;
        let heard =
            begun + if arm.is_some_and(|arm| is_of_heartbeats(&arm.point)) { HEARTBEAT } else { Duration::ZERO };
        while !self.victim(part).is_dead()? {
            let idle = self.desk.unfinished().await?.is_some_and(|jobs| jobs.is_empty());
            if idle && renewals == RENEWALS && self.desk.ports().clock.monotonic() >= heard {
                self.victim(part).arm(None)?;
                return Ok(false);
            }
            if idle && renewals < RENEWALS {
                self.renew().await?;
                renewals += 1;
            }
            ensure(self.desk.ports().clock.monotonic() < until, || "it neither dies nor finishes its work".to_owned())?;
            self.desk.pause(LOOK).await;
        }
        self.kills += 1;
        self.hit.extend(arm.map(|arm| (part, arm.point.clone())));
        self.verdict.look(&self.desk, &self.places).await?;
        Ok(true)
    }

    /// Waits until every job is finished, with both of them up, and looks at what is served then.
    async fn settle(&mut self) -> Result<(), Failed> {
        let clock = &self.desk.ports().clock;
        let until = clock.monotonic() + PATIENCE;
        loop {
            for victim in [&mut self.server, &mut self.agent] {
                ensure(!victim.is_dead()?, || "one that should stay up has died".to_owned())?;
            }
            let unfinished = self.desk.unfinished().await?;
            if unfinished.as_ref().is_some_and(Vec::is_empty) {
                break;
            }
            ensure(clock.monotonic() < until, || {
                let (server, agent) = (self.server.last_words(), self.agent.last_words());
                format!("not finished: {unfinished:?}\nserver: {server}\nagent: {agent}")
            })?;
            self.desk.pause(LOOK).await;
        }
        self.verdict.rest(&self.desk, &self.places).await
    }

    /// A renewal at the places where most can be seen: the first, and the two that came last.
    async fn renew(&self) -> Result<(), Failed> {
        let last = self.places.len().saturating_sub(2).max(1);
        for place in self.places.iter().take(1).chain(self.places.iter().skip(last)) {
            self.desk.renew(place).await?;
        }
        Ok(())
    }

    /// Orders a first certificate for another place.
    async fn order_another(&mut self) -> Result<(), Failed> {
        let place = self.grounds.another().await?;
        self.open(place, First::Now).await
    }

    async fn open(&mut self, place: Place, first: First) -> Result<(), Failed> {
        self.verdict.begin(&self.desk, &place).await?;
        self.desk.open(&place, first).await?;
        self.places.push(place);
        Ok(())
    }

    fn victim(&mut self, part: Part) -> &mut Victim {
        match part {
            Part::Server => &mut self.server,
            Part::Agent => &mut self.agent,
        }
    }
}

/// The points at which a part is killed: all that have a name, and are passed where this test runs.
fn hunted(part: Part) -> Vec<String> {
    let mut points = points::named(part);
    points.retain(|point| Grounds::are_served() || !point.starts_with("ask.report_verification"));
    points
}

const REFUSED: &str = "ask.report_failed";

/// Passed by a server whose issuer makes its CA, but not by a renewal.
fn is_of_new_issuers(point: &str) -> bool {
    point.starts_with("commit.authority") || point.starts_with("key.generate")
}

/// Passed by a server that hears from its agent, however quickly the renewals are done.
fn is_of_heartbeats(point: &str) -> bool {
    point.starts_with("commit.other")
}

/// Passed once in what [`Hunt::prepare`] prepares.
fn is_rare(point: &str) -> bool {
    is_of_new_issuers(point) || point.starts_with(REFUSED)
}

/// A port below those that the kernel gives to clients: while the server is down nobody else gets it. Each is given away
/// once, because the servers of two hunts at a time must not meet.
fn free_port() -> Result<u16, Failed> {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 10_000)?;
    for _ in 0..10_000 {
        let port = 20_000 + (first + GIVEN.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no port is free".into())
}
