//! The loops: the one list of all of them, who may run each, and when each is looked at next.
//!
//! A loop says when it has something to do. It is looked at when that moment comes, at the latest after its interval, and at
//! once when a commit brings something due before that. Idle loops cost nothing in between.

mod lease;
mod list;
mod status;

pub(crate) use list::LOOPS;
pub(super) use list::SEALING;
use list::{DELIVERING, ISSUING, REVOKING, SEARCHING, VALIDATING};
pub(crate) use status::Loops;

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Cadence, Engine, Progress};
use crate::domain::{AcmeChallenge, Job, LoopScope, RevocationNotice, Timestamp};
use crate::entity::{Row, Schema};
use crate::error::{Error, ErrorKind};
use crate::reconcile;
use crate::storage::View;

/// A loop.
pub(crate) struct Loop {
    /// What it is called by people and in the database.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) does: &'static str,
    /// Who runs it, and how.
    pub(crate) run: Run,
    /// The longest time between two looks.
    pub(crate) interval: fn(&Cadence) -> Duration,
    /// Does what is due; gives how much that was.
    pub(crate) sweep: Sweep,
    /// How long until it has something to do.
    pub(crate) next_due: NextDue,
    /// The table whose rows give it something to do, and when a row does.
    pub(crate) watches: Option<Watched>,
    /// Where a step counts what it did.
    pub(crate) count: fn(&mut Progress) -> &mut usize,
}

type Sweep = for<'a> fn(&'a Engine) -> BoxFuture<'a, Result<usize, Error>>;
type NextDue = for<'a> fn(&'a Engine) -> BoxFuture<'a, Result<Option<Duration>, Error>>;
type Watched = (&'static str, fn(&Schema, &Row) -> Option<Timestamp>);

/// How a loop is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// By every engine, within a step.
    Each,
    /// By every engine, within a step, and after each interval also when nothing is known to be due: others leave things
    /// behind, and what a store says of its queues is a hint.
    EachAlways,
    /// By the engine that holds the loop's lease, within a step.
    Leased,
    /// By the engine that holds the loop's lease, in a task of its own: it waits for others.
    LeasedTask,
}

impl Loop {
    pub(crate) fn scope(&self) -> LoopScope {
        match self.run {
            Run::Each | Run::EachAlways => LoopScope::Each,
            Run::Leased | Run::LeasedTask => LoopScope::One,
        }
    }
}

impl Engine {
    /// Looks at every loop, or at those whose time has come; does what is due.
    pub(super) async fn turn(&self, all: bool) -> Result<Progress, Error> {
        let (mut progress, mut failure) = (Progress::default(), None);
        for (place, one) in LOOPS.iter().enumerate() {
            if !self.0.loops.begin_look(place, self.ports().clock.monotonic(), all) {
                continue;
            }
            match self.look(place, one).await {
                Ok(count) => *(one.count)(&mut progress) += count,
                Err(error) => {
                    self.0.loops.fail(place, self.ports().clock.monotonic(), self.cadence().retry, &error);
                    let unreachable = error.kind() == ErrorKind::Unavailable;
                    tracing::warn!(name = one.name, %error, source = ?std::error::Error::source(&error), "a loop failed; it is tried again");
                    failure.get_or_insert(error);
                    if unreachable {
                        break;
                    }
                }
            }
        }
        failure.map_or(Ok(progress), Err)
    }

    async fn look(&self, place: usize, one: &'static Loop) -> Result<usize, Error> {
        let (clock, interval) = (&self.ports().clock, (one.interval)(self.cadence()));
        let now = self.storage().read(View::Latest).await?.now();
        let overdue = self.0.loops.looks(place, clock.monotonic(), now, interval);
        let mut next = (one.next_due)(self).await?;
        let mut count = 0;
        if next == Some(Duration::ZERO) || (one.run == Run::EachAlways && overdue) {
            if one.scope() == LoopScope::One
                && let Some(elsewhere) = self.claim_loop(place, one).await?
            {
                self.0.loops.plan(place, clock.monotonic(), now, elsewhere.min(interval));
                return Ok(0);
            }
            if one.run == Run::LeasedTask {
                self.0.loops.plan(place, clock.monotonic(), now, interval);
                self.run_apart(place, one);
                return Ok(0);
            }
            self.0.loops.sweeps(place, clock.monotonic(), now);
            let swept = (one.sweep)(self).await;
            let ended = self.storage().read(View::Latest).await?.now();
            self.0.loops.swept(place, ended, &swept);
            if let Err(error) = &swept {
                self.end_loop(place, one, Some(error)).await;
            }
            count = swept?;
            next = (one.next_due)(self).await?;
            if one.run == Run::Leased && count == 0 && next == Some(Duration::ZERO) {
                // What cannot be done now is not asked for at once again. What is claimed row by row is not due for whoever
                // cannot claim it.
                next = Some(self.cadence().retry);
            }
        }
        if next != Some(Duration::ZERO) {
            self.end_loop(place, one, None).await;
        }
        self.0.loops.plan(place, clock.monotonic(), now, next.unwrap_or(interval).min(interval));
        Ok(count)
    }

    /// A partition has a free permit again: what waits in it may be taken up.
    pub(crate) fn permit_freed(&self, partition: &str) {
        let issues = partition.starts_with(&Job::issuer_partition(""));
        let searches = partition.starts_with(reconcile::searches::PERMIT);
        self.0.loops.ask_by_name(if issues {
            ISSUING
        } else if searches {
            SEARCHING
        } else if partition.starts_with(RevocationNotice::PARTITION) {
            REVOKING
        } else if partition.starts_with(AcmeChallenge::PARTITION) {
            VALIDATING
        } else {
            DELIVERING
        });
        self.0.work.notify();
    }
}
