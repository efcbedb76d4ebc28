//! What this process knows of its loops: when each is looked at next, and how it went.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::LOOPS;
use crate::domain::Timestamp;
use crate::engine::lock;
use crate::error::Error;
use crate::ports::Monotonic;
use crate::signal::Signal;
use crate::storage::Changes;

/// All loops, in the order of the list.
pub(crate) struct Loops {
    seen: Mutex<Vec<Seen>>,
    stop: Signal,
    stopped: AtomicBool,
}

/// What is known of one loop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// When it was last looked at.
    pub(crate) looked_at: Option<Timestamp>,
    /// When this process last ran it.
    pub(crate) started_at: Option<Timestamp>,
    /// When that ended.
    pub(crate) ended_at: Option<Timestamp>,
    /// Why it failed.
    pub(crate) last_error: Option<String>,
    /// What it did, in pieces of work.
    pub(crate) last_count: usize,
    /// Runs of this process.
    pub(crate) runs: u64,
    /// When it is looked at next; at once when never planned.
    look_at: Option<Monotonic>,
    /// The same by the store's clock: what comes due before that asks for a look. Everything does during a look.
    horizon: Option<Timestamp>,
    /// When its last sweep began.
    swept_at: Option<Monotonic>,
    /// A commit asks for a look.
    asked: bool,
    /// Until when this process has its lease, and what it did since it took it.
    held: Option<(Monotonic, usize)>,
    /// It runs in a task of its own.
    apart: bool,
    failures: u32,
}

impl Default for Loops {
    fn default() -> Self {
        let seen = LOOPS.iter().map(|_| Seen::default()).collect();
        Self { seen: Mutex::new(seen), stop: Signal::default(), stopped: AtomicBool::new(false) }
    }
}

impl Loops {
    fn with<T: Default>(&self, place: usize, what: impl FnOnce(&mut Seen) -> T) -> T {
        lock(&self.seen).get_mut(place).map(what).unwrap_or_default()
    }

    /// What is known of a loop.
    pub(crate) fn seen(&self, place: usize) -> Seen {
        self.with(place, |seen| seen.clone())
    }

    /// Whether it is to be looked at now.
    pub(super) fn begin_look(&self, place: usize, now: Monotonic, all: bool) -> bool {
        self.with(place, |seen| {
            let asked = std::mem::take(&mut seen.asked);
            !seen.apart && (all || asked || seen.look_at.is_none_or(|at| at <= now))
        })
    }

    /// A look begins. Whether the interval has passed since its last sweep.
    pub(super) fn looks(&self, place: usize, now: Monotonic, time: Timestamp, interval: Duration) -> bool {
        self.with(place, |seen| {
            (seen.looked_at, seen.horizon) = (Some(time), None);
            seen.swept_at.is_none_or(|at| at + interval <= now)
        })
    }

    pub(super) fn sweeps(&self, place: usize, now: Monotonic, time: Timestamp) {
        self.with(place, |seen| {
            (seen.started_at, seen.swept_at) = (Some(time), Some(now));
            seen.runs += 1;
        });
    }

    pub(super) fn swept(&self, place: usize, time: Timestamp, swept: &Result<usize, Error>) {
        self.with(place, |seen| {
            seen.ended_at = Some(time);
            seen.last_count = *swept.as_ref().unwrap_or(&0);
            seen.last_error = swept.as_ref().err().map(ToString::to_string);
            if let Some((_, count)) = &mut seen.held {
                *count += seen.last_count;
            }
        });
    }

    /// It is looked at again after this time.
    pub(super) fn plan(&self, place: usize, now: Monotonic, time: Timestamp, after: Duration) {
        self.with(place, |seen| {
            (seen.look_at, seen.horizon) = (Some(now + after), Some(time + after));
            seen.failures = 0;
        });
    }

    /// It failed, and is looked at again after a pause that grows.
    pub(super) fn fail(&self, place: usize, now: Monotonic, retry: Duration, error: &Error) {
        self.with(place, |seen| {
            seen.look_at = Some(now + retry * (1 << seen.failures.min(6)));
            seen.failures = seen.failures.saturating_add(1);
            seen.last_error = Some(error.to_string());
        });
    }

    /// How long until one of them is looked at.
    pub(in crate::engine) fn pause(&self, now: Monotonic) -> Option<Duration> {
        let seen = lock(&self.seen);
        let waiting = seen.iter().filter(|seen| !seen.apart);
        waiting
            .map(
                |seen| {
                    if seen.asked { Duration::ZERO } else { seen.look_at.map_or(Duration::ZERO, |at| now.until(at)) }
                },
            )
            .min()
    }

    /// The earliest moment at which the changes bring something due, by loop.
    pub(in crate::engine) fn concerned(changes: &Changes) -> Vec<(usize, Timestamp)> {
        let mut concerned = Vec::new();
        for table in changes.tables() {
            for (place, one) in LOOPS.iter().enumerate() {
                let Some((_, due)) = one.watches.filter(|(watched, _)| *watched == table.schema.table) else {
                    continue;
                };
                let rows = table.inserts.iter().chain(table.updates.iter().map(|update| &update.row));
                concerned.extend(rows.filter_map(|row| due(table.schema, row)).min().map(|at| (place, at)));
            }
        }
        concerned
    }

    /// Asks for a look at those for which something comes due before they would be looked at. Whether there are any.
    pub(in crate::engine) fn ask(&self, concerned: &[(usize, Timestamp)]) -> bool {
        let mut any = false;
        for (place, at) in concerned {
            any |= self.with(*place, |seen| {
                let sooner = seen.horizon.is_none_or(|horizon| *at < horizon);
                seen.asked |= sooner;
                sooner
            });
        }
        any
    }

    /// Asks for a look at the loop of this name.
    pub(in crate::engine) fn ask_by_name(&self, name: &str) {
        if let Some(place) = LOOPS.iter().position(|one| one.name == name) {
            self.with(place, |seen| seen.asked = true);
        }
    }

    /// Whether this process has the lease until then.
    pub(super) fn holds(&self, place: usize, until: Monotonic) -> bool {
        self.with(place, |seen| seen.held.is_some_and(|(held, _)| held >= until))
    }

    pub(super) fn hold(&self, place: usize, until: Monotonic) {
        self.with(place, |seen| seen.held = Some((until, seen.held.map_or(0, |(_, count)| count))));
    }

    /// Forgets the lease; gives what was done since it was taken.
    pub(super) fn release(&self, place: usize) -> Option<usize> {
        self.with(place, |seen| seen.held.take().map(|(_, count)| count))
    }

    pub(super) fn begins_apart(&self, place: usize) {
        self.with(place, |seen| seen.apart = true);
    }

    pub(super) fn ends_apart(&self, place: usize) {
        self.with(place, |seen| (seen.apart, seen.asked) = (false, true));
    }

    /// Lets tasks of their own begin.
    pub(in crate::engine) fn start(&self) {
        self.stopped.store(false, Ordering::SeqCst);
    }

    /// Ends what runs in tasks of its own.
    pub(in crate::engine) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.stop.notify();
    }

    /// Resolves when the loops are to end.
    pub(super) async fn stopped(&self) {
        let stop = self.stop.listen();
        if !self.stopped.load(Ordering::SeqCst) {
            stop.await;
        }
    }
}
