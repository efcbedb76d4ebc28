//! The loops, passive: nothing happens unless somebody steps.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::Engine;
use crate::error::Error;
use crate::{jobs, outbox, reconcile};

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Certificates whose renewal was begun.
    pub renewals_begun: usize,
    /// Certificates whose renewal was planned anew because their policy changed.
    pub replanned: usize,
    /// Questions to CAs about renewals that were taken up.
    pub advice_asked: usize,
    /// Jobs that waited too long and were ended.
    pub jobs_timed_out: usize,
    /// Answers to named calls that were forgotten.
    pub calls_forgotten: usize,
    /// Jobs that were taken up.
    pub jobs_started: usize,
    /// Notifications that were taken up.
    pub deliveries_started: usize,
    /// Alerts of certificates that near their end.
    pub alerts_raised: usize,
    /// Notifications that ended undelivered because their notifier is gone.
    pub undeliverable: usize,
    /// Audit rows that got their place in the chain.
    pub audit_sealed: u64,
}

impl Engine {
    /// One pass of every loop: begin due renewals, plan those anew whose policy changed, ask CAs for advice, end what waited too
    /// long, tell of certificates that near their end, take up due jobs and deliveries, end notifications whose notifier is gone, wake agents that wait for work and have
    /// some, record who read, and seal the audit trail.
    ///
    /// Work that was taken up goes on in tasks after this returns.
    ///
    /// # Errors
    /// The store's. Nothing is lost: the next step finds the same work again.
    pub async fn step(&self) -> Result<Progress, Error> {
        let renewals_begun = reconcile::renewals::sweep(self).await?;
        let replanned = reconcile::replans::sweep(self).await?;
        let advice_asked = reconcile::advice::sweep(self).await?;
        let jobs_timed_out = reconcile::waiting::sweep(self).await?;
        let calls_forgotten = reconcile::calls::sweep(self).await?;
        let jobs_started = jobs::claim_and_start(self).await?;
        let alerts_raised = reconcile::alerts::sweep(self).await?;
        let deliveries_started = outbox::claim_and_start(self).await?;
        let undeliverable = outbox::strays::sweep(self).await?;
        self.look_out().await?;
        reconcile::reads::sweep(self).await?;
        let audit_sealed = reconcile::sealing::sweep(self).await?;
        Ok(Progress {
            renewals_begun,
            replanned,
            advice_asked,
            jobs_timed_out,
            calls_forgotten,
            jobs_started,
            alerts_raised,
            deliveries_started,
            undeliverable,
            audit_sealed,
        })
    }

    /// How long until [`step`](Self::step) has something to do, by the store's clock. `None` when nothing is planned.
    ///
    /// Partitions without a free permit do not count: one with a due job would read as "now", and the loop would spin.
    ///
    /// # Errors
    /// The store's.
    pub async fn next_due(&self) -> Result<Option<Duration>, Error> {
        let dues = [
            reconcile::renewals::next_due(self).await?,
            reconcile::replans::next_due(self).await?,
            reconcile::advice::next_due(self),
            reconcile::waiting::next_due(self).await?,
            reconcile::calls::next_due(self).await?,
            jobs::next_due(self).await?,
            reconcile::alerts::next_due(self).await?,
            outbox::next_due(self).await?,
            self.next_look(),
            reconcile::reads::next_due(self),
            reconcile::sealing::next_due(self),
        ];
        Ok(dues.into_iter().flatten().min())
    }

    /// Steps whenever something is due, committed or signalled, until `shutdown`; then waits for what is under way.
    pub async fn run_until(&self, shutdown: impl Future<Output = ()>) {
        let cadence = self.cadence().clone();
        let clock = self.ports().clock.clone();
        let mut shutdown = pin!(shutdown);
        let mut failures = 0_u32;
        loop {
            // Before looking, or a commit in between is missed.
            let woken = self.0.work.listen();
            let elsewhere = self.storage().changed().map(|signal| signal.listen());
            let due = match self.step().await {
                Ok(_) => self.next_due().await,
                Err(error) => Err(error),
            };
            let pause = match &due {
                Ok(due) => due.unwrap_or(cadence.poll).min(cadence.poll),
                Err(error) => {
                    tracing::warn!(error = %error, source = ?std::error::Error::source(error), "the loops cannot read or write the store");
                    cadence.retry * (1 << failures.min(6))
                }
            };
            failures = if due.is_ok() { 0 } else { failures + 1 };
            let alarm = clock.sleep_until(clock.monotonic() + pause);
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
                Either::Right((Either::Left(_), _)) => self.publish_unknown(),
                Either::Right((Either::Right(_), _)) => {}
            }
        }
        self.0.in_flight.idle().await;
        if !self.reads().is_empty()
            && let Err(error) = reconcile::reads::record(self).await
        {
            tracing::warn!(%error, "who read what in the last seconds was not recorded");
        }
    }
}
