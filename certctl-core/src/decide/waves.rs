//! Which targets of a rollout are deployed to now: a canary first, then batches, and never more at once than allowed.
//!
//! Waves are counted by what is done: the first `canary` targets are one, each further `batch_size` another. A target that is
//! left out makes room for the next, and one that began out of turn takes a place, so a canary is always as large as it should
//! be, and nothing goes beyond it before it is proven.

use std::time::Duration;

use crate::domain::DeploymentWaves;

/// How one target of a rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// Its turn has not come.
    Waiting,
    /// A deployment is under way, waits for its agent, or for its next attempt.
    Running,
    /// It is deployed and, where somebody looked, served.
    Done,
    /// The deployment used up its attempts, or something else is served.
    Failed,
    /// It is not deployed to any more: called off, or its agent is gone.
    LeftOut,
}

/// What a rollout is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// The new version goes out.
    NewVersion,
    /// The version before it comes back: at once, as far as the limit allows, and whatever fails.
    VersionBefore,
}

/// What is decided by.
#[derive(Clone, Copy, Debug)]
pub struct WaveInput<'a> {
    /// How the policy wants it; absent when it wants no waves any more.
    pub waves: Option<&'a DeploymentWaves>,
    /// The targets in their order.
    pub targets: &'a [TargetState],
    /// Deployments of the certificate that are under way beside the rollout.
    pub elsewhere: usize,
    /// What it is for.
    pub aim: Aim,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaveStep {
    /// Begin with these.
    Start {
        /// Their places among the targets.
        targets: Vec<usize>,
        /// The wave that they belong to, from 1.
        wave: usize,
        /// How long to wait before.
        after: Duration,
    },
    /// Nothing until one of those under way has ended.
    Wait,
    /// Touch no further target.
    Halt {
        /// The place of the one that failed.
        target: usize,
    },
    /// Nothing is left.
    Done,
}

/// A step and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveVerdict {
    /// What is to be done.
    pub step: WaveStep,
    /// Why, for people.
    pub reason: String,
}

type Rule = fn(&Facts<'_>) -> Option<WaveVerdict>;

/// Tried in order; the first that has something to say decides.
const RULES: &[Rule] = &[failed, nothing_waits, wave_is_under_way, no_room];

/// Decides what a rollout does next.
pub fn decide(input: &WaveInput<'_>) -> WaveVerdict {
    let facts = Facts::of(input);
    RULES.iter().find_map(|rule| rule(&facts)).unwrap_or_else(|| start(&facts))
}

/// What the rules look at.
struct Facts<'a> {
    input: &'a WaveInput<'a>,
    running: usize,
    done: usize,
    waiting: usize,
    place: Place,
}

/// Where a rollout is in its waves.
struct Place {
    /// The wave of the next target, from 1.
    wave: usize,
    /// How many targets may still begin in it.
    left: usize,
    /// Whether the next target is its first.
    begins: bool,
}

impl<'a> Facts<'a> {
    fn of(input: &'a WaveInput<'a>) -> Self {
        let count = |state| input.targets.iter().filter(|target| **target == state).count();
        let (running, done) = (count(TargetState::Running), count(TargetState::Done));
        let waves = input.waves.filter(|_| input.aim == Aim::NewVersion);
        let place = match waves {
            Some(waves) => Place::of(waves, done, running),
            None => Place { wave: 1, left: usize::MAX, begins: false },
        };
        Self { input, running, done, waiting: count(TargetState::Waiting), place }
    }

    fn heeds_failures(&self) -> bool {
        self.input.waves.is_some() && self.input.aim == Aim::NewVersion
    }
}

impl Place {
    fn of(waves: &DeploymentWaves, done: usize, running: usize) -> Self {
        let canary = size(waves.canary);
        let begun = |within: usize| within + running;
        if done < canary {
            return Self { wave: 1, left: canary.saturating_sub(begun(done)), begins: done == 0 };
        }
        let (first, beyond) = (1 + usize::from(canary > 0), done - canary);
        match waves.batch_size.map(size) {
            Some(batch) if batch > 0 => {
                let within = beyond % batch;
                let left = batch.saturating_sub(begun(within));
                Self { wave: first + beyond / batch, left, begins: within == 0 }
            }
            // All that are left: who joins later belongs to it, too.
            _ => Self { wave: first, left: usize::MAX, begins: beyond == 0 },
        }
    }
}

fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

#[expect(clippy::unnecessary_wraps, reason = "every rule ends with it")]
fn verdict(step: WaveStep, reason: impl Into<String>) -> Option<WaveVerdict> {
    Some(WaveVerdict { step, reason: reason.into() })
}

fn failed(facts: &Facts<'_>) -> Option<WaveVerdict> {
    let target = facts.input.targets.iter().position(|target| *target == TargetState::Failed)?;
    if !facts.heeds_failures() {
        return None;
    }
    verdict(WaveStep::Halt { target }, "a deployment failed; no further target is touched")
}

fn nothing_waits(facts: &Facts<'_>) -> Option<WaveVerdict> {
    match (facts.waiting, facts.running) {
        (0, 0) => verdict(WaveStep::Done, format!("{} targets are deployed and none waits", facts.done)),
        (0, running) => verdict(WaveStep::Wait, format!("the last {running} deployments are under way")),
        _ => None,
    }
}

fn wave_is_under_way(facts: &Facts<'_>) -> Option<WaveVerdict> {
    let Place { wave, left, begins } = facts.place;
    let running = facts.running;
    if running == 0 || (left > 0 && !begins) {
        return None;
    }
    verdict(WaveStep::Wait, format!("wave {wave} waits for the end of {running} deployments"))
}

fn no_room(facts: &Facts<'_>) -> Option<WaveVerdict> {
    if facts.room() > 0 {
        return None;
    }
    let under_way = facts.running + facts.input.elsewhere;
    verdict(WaveStep::Wait, format!("{under_way} deployments are under way, as many as max_unavailable allows"))
}

fn start(facts: &Facts<'_>) -> WaveVerdict {
    let Place { wave, left, begins } = facts.place;
    let waiting = facts.input.targets.iter().enumerate().filter(|(_, target)| **target == TargetState::Waiting);
    let targets: Vec<usize> = waiting.map(|(at, _)| at).take(left.min(facts.room())).collect();
    let pauses = begins && facts.running + facts.done > 0;
    let pause = facts.input.waves.filter(|_| pauses).map_or(0, |waves| waves.pause_seconds);
    let after = Duration::from_secs(u64::try_from(pause).unwrap_or(0));
    let reason = match (facts.input.aim, begins) {
        (Aim::VersionBefore, _) => "what has the new version gets the one before it back".to_owned(),
        (Aim::NewVersion, true) if facts.done == 0 => format!("wave {wave} begins the rollout"),
        (Aim::NewVersion, true) => format!("wave {wave} begins: all {} deployments before it went well", facts.done),
        (Aim::NewVersion, false) => format!("wave {wave} has room"),
    };
    WaveVerdict { step: WaveStep::Start { targets, wave, after }, reason }
}

impl Facts<'_> {
    /// How many deployments may begin beside those under way.
    fn room(&self) -> usize {
        let most = self.input.waves.and_then(|waves| waves.max_unavailable).map_or(usize::MAX, size);
        most.saturating_sub(self.running + self.input.elsewhere)
    }
}

#[cfg(test)]
mod tests;
