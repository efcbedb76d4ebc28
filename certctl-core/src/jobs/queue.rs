//! What all leased queues have in common: looking, claiming, working in tasks of their own, and storing how it went.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{BoxFuture, select};

use super::lease::keep;
use super::permit::Permit;
use crate::engine::{Engine, Underway};
use crate::error::{Error, ErrorKind};
use crate::ports::Monotonic;
use crate::storage::{Claim, DueQuery, Fence, Lease, Leased};

/// How one queue is worked off.
pub(crate) struct Queue<E: Leased> {
    /// The permit that a row needs.
    pub(crate) permit: fn(&E) -> String,
    /// The work on a row. The moment is the one before the claim, from which its lease counts.
    pub(crate) work: for<'a> fn(&'a Engine, &'a Lease<E>, Monotonic) -> BoxFuture<'a, ()>,
}

impl<E: Leased> Queue<E> {
    /// How long until something is due in partitions with a free permit.
    pub(crate) async fn next_due(engine: &Engine, free: Vec<(String, u32)>) -> Result<Option<Duration>, Error> {
        if free.is_empty() {
            return Ok(None);
        }
        let partitions = free.into_iter().map(|(partition, _)| partition).collect();
        Ok(engine.storage().next_due(&DueQuery { queue: E::QUEUE, partitions }).await?)
    }

    /// Claims what is due, not more than so many of each partition, and works on each in a task of its own; gives how many.
    pub(crate) async fn claim_and_start(&self, engine: &Engine, free: Vec<(String, u32)>) -> Result<usize, Error> {
        if free.is_empty() {
            return Ok(0);
        }
        // The lease counts from before the question.
        let asked_at = engine.ports().clock.monotonic();
        let (holder, lease) = (engine.0.holder.clone(), engine.cadence().lease);
        let leases = engine.storage().claim(Claim { queue: E::QUEUE, holder, partitions: free, lease }).await?;
        let leases = leases.leases::<E>()?;
        let started = leases.len();
        for lease in leases {
            let permit = Permit::take(engine, &(self.permit)(&lease.record));
            let (engine, underway, work) = (engine.clone(), Underway::begin(engine), self.work);
            let spawner = engine.ports().spawner.clone();
            spawner.spawn(Box::pin(async move {
                work(&engine, &lease, asked_at).await;
                drop((permit, underway));
            }));
        }
        Ok(started)
    }
}

/// Works for as long as the lease is held. Losing it drops the work at its next await, and a connector's future with it.
pub(crate) async fn while_held(engine: &Engine, fence: &Fence, asked_at: Monotonic, work: impl Future<Output = ()>) {
    select(pin!(work), pin!(keep(engine, fence, asked_at))).await;
}

/// Makes attempts until one came to something. What happened in the world must reach the store: it is written again for as long as
/// the store cannot be reached, or somebody else wrote at the same moment. The keeper of the lease ends it in time.
///
/// # Errors
/// Those of the last attempt.
pub(crate) async fn insist<T, A: Future<Output = Result<T, Error>>>(
    engine: &Engine,
    mut attempt: impl FnMut() -> A,
) -> Result<T, Error> {
    let (clock, mut pause) = (&engine.ports().clock, engine.cadence().retry);
    loop {
        match attempt().await {
            Err(error) if error.kind() == ErrorKind::Unavailable || error.code() == "changed_meanwhile" => {
                clock.sleep_until(clock.monotonic() + pause).await;
                pause *= 2;
            }
            outcome => return outcome,
        }
    }
}
