//! The loops, passive: nothing happens unless somebody steps.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::Engine;
use super::loops::LOOPS;
use crate::error::{Error, ErrorKind};
use crate::ports::Monotonic;
use crate::reconcile;

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Certificates whose renewal was begun.
    pub renewals_begun: usize,
    /// Certificates whose renewal was planned anew because their policy changed.
    pub replanned: usize,
    /// Questions to CAs about renewals that were taken up.
    pub advice_asked: usize,
    /// Certificates of short-lived profiles of whose end is told.
    pub short_lived_ended: usize,
    /// Jobs that waited too long and were ended.
    pub jobs_timed_out: usize,
    /// Agents that were found silent.
    pub agents_silent: usize,
    /// Always 0: endpoints are probed in a task of its own. `GET /api/v1/loops` tells how many.
    pub endpoints_probed: usize,
    /// Always 0: revocation lists are made in a task of its own. `GET /api/v1/loops` tells how many.
    pub crls_made: usize,
    /// Answers to named calls that were forgotten.
    pub calls_forgotten: usize,
    /// Jobs that were taken up.
    pub jobs_started: usize,
    /// Notifications that were taken up.
    pub deliveries_started: usize,
    /// Revocations whose issuers are being told.
    pub revocations_told: usize,
    /// Challenges of ACME clients that are being looked at.
    pub challenges_taken_up: usize,
    /// ACME orders that were ended or forgotten.
    pub orders_collected: usize,
    /// Alerts of certificates that near their end.
    pub alerts_raised: usize,
    /// Messages of the digest that were recorded.
    pub digests_recorded: usize,
    /// Notifications that ended undelivered because their notifier is gone.
    pub undeliverable: usize,
    /// Agents that were woken because they have work.
    pub agents_woken: usize,
    /// Audit events that tell who read.
    pub reads_recorded: usize,
    /// Searches for certificates that were begun.
    pub searches_started: usize,
    /// Audit rows that got their place in the chain.
    pub audit_sealed: usize,
}

impl Engine {
    /// One look at every loop of `engine/loops/list.rs`, in order: what is due is done, in sweeps of limited size.
    ///
    /// Work that was taken up goes on in tasks after this returns. A loop that another engine has the lease of is left to it.
    ///
    /// # Errors
    /// The first failure of a loop; the others were looked at all the same, unless the store cannot be reached. Nothing is
    /// lost: the next step finds the same work again.
    pub async fn step(&self) -> Result<Progress, Error> {
        self.turn(true).await
    }

    /// How long until [`step`](Self::step) has something to do, by the store's clock. `None` when nothing is planned.
    ///
    /// Partitions without a free permit do not count: one with a due job would read as "now", and the loop would spin.
    ///
    /// # Errors
    /// The store's.
    pub async fn next_due(&self) -> Result<Option<Duration>, Error> {
        let mut next: Option<Duration> = None;
        for one in LOOPS {
            next = next.into_iter().chain((one.next_due)(self).await?).min();
        }
        Ok(next)
    }

    /// Looks at each loop when its moment has come, or a commit or another process brings it something, until `shutdown`;
    /// then waits for what is under way.
    pub async fn run_until(&self, shutdown: impl Future<Output = ()>) {
        let cadence = self.cadence().clone();
        let clock = self.ports().clock.clone();
        let mut shutdown = pin!(shutdown);
        let mut failures = 0_u32;
        let mut news = News::default();
        self.0.loops.start();
        loop {
            // Before looking, or a commit in between is missed.
            let woken = self.0.work.listen();
            let elsewhere = self.storage().changed().map(|signal| signal.listen());
            let all = news.taken(clock.monotonic(), cadence.poll / 4);
            let unreachable = match self.turn(all).await {
                Ok(_) => false,
                Err(error) => error.kind() == ErrorKind::Unavailable,
            };
            failures = if unreachable { failures + 1 } else { 0 };
            // Loops that were not reached are still to be looked at.
            news.heard |= all && unreachable;
            let now = clock.monotonic();
            let pause = match failures {
                0 => self.0.loops.pause(now).unwrap_or(cadence.poll).min(news.pause(now, cadence.poll / 4)),
                failures => cadence.retry * (1 << (failures - 1).min(6)),
            };
            let alarm = clock.sleep_until(now + pause);
            let elsewhere = pin!(async {
                match elsewhere {
                    Some(listen) => listen.await,
                    None => std::future::pending().await,
                }
            });
            // `select` polls its first argument first, always: no coin is tossed here.
            let wait = select(elsewhere, select(woken, alarm));
            match select(shutdown.as_mut(), wait).await {
                Either::Left(_) => break,
                Either::Right((Either::Left(_), _)) => {
                    self.publish_unknown();
                    news.heard = true;
                }
                Either::Right((Either::Right(_), _)) => {}
            }
        }
        self.0.loops.stop();
        self.0.stopping.set();
        self.0.in_flight.idle().await;
        if !self.reads().is_empty()
            && let Err(error) = reconcile::reads::record(self).await
        {
            tracing::warn!(%error, "who read what in the last seconds was not recorded");
        }
    }
}

/// That other processes committed something. However much they commit, all loops are looked at only so often because of it.
#[derive(Default)]
struct News {
    heard: bool,
    looked_at: Option<Monotonic>,
}

impl News {
    /// Whether to look at everything now because of it.
    fn taken(&mut self, now: Monotonic, pause: Duration) -> bool {
        let first = self.looked_at.is_none();
        let due = first || (self.heard && self.pause(now, pause).is_zero());
        if due {
            (self.heard, self.looked_at) = (false, Some(now));
        }
        due
    }

    /// How long until a look is worth it.
    fn pause(&self, now: Monotonic, pause: Duration) -> Duration {
        match self.looked_at {
            Some(at) if self.heard => now.until(at + pause),
            _ => Duration::MAX,
        }
    }
}
