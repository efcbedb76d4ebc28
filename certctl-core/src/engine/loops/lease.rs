//! The lease of a loop: claimed before it does something, kept while there is more to do, and let go with how it went.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::Loop;
use crate::domain::{LoopId, LoopScope, LoopState, Timestamp};
use crate::engine::{Engine, Underway};
use crate::entity::Record;
use crate::error::{Error, ErrorKind};
use crate::storage::{ApplyError, Changes, View};

/// Longest error text that is kept, in characters.
const LONGEST: usize = 2_000;

impl Engine {
    /// Takes the lease, or prolongs it. Somebody else has it for the time that is given.
    pub(super) async fn claim_loop(&self, place: usize, one: &Loop) -> Result<Option<Duration>, Error> {
        let (clock, lease) = (&self.ports().clock, self.cadence().lease);
        let asked_at = clock.monotonic();
        if self.0.loops.holds(place, asked_at + lease / 2) {
            return Ok(None);
        }
        let view = self.storage().read(View::Latest).await?;
        let now = view.now();
        let found = view.get::<LoopState>(one.name).await?;
        drop(view);
        let mut changes = Changes::bookkeeping();
        let held = self.0.loops.holds(place, asked_at);
        match found {
            Some(state) if state.leased_until > now && state.holder.as_ref() != Some(&self.0.holder) => {
                return Ok(Some(state.leased_until.since(now)));
            }
            Some(mut state) => {
                self.take(&mut state, now, held);
                changes.update(state);
            }
            None => changes.insert(LoopState {
                id: LoopId::parse(one.name).map_err(Error::internal)?,
                holder: Some(self.0.holder.clone()),
                leased_until: now + lease,
                started_at: Some(now),
                ended_at: None,
                last_error: None,
                last_count: 0,
                runs: 1,
            }),
        }
        match self.storage().apply(changes).await {
            Ok(_) => {
                self.0.loops.hold(place, asked_at + lease);
                Ok(None)
            }
            // Somebody else was faster.
            Err(ApplyError::Stale { .. } | ApplyError::Conflict { .. }) => {
                self.0.loops.release(place);
                Ok(Some(self.cadence().retry))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn take(&self, state: &mut Record<LoopState>, now: Timestamp, held: bool) {
        state.holder = Some(self.0.holder.clone());
        state.leased_until = now + self.cadence().lease;
        if !held {
            state.started_at = Some(now);
            state.runs += 1;
        }
    }

    /// Lets the lease go, and stores how it went. What cannot be stored is not worth failing for: the lease ends by itself.
    pub(super) async fn end_loop(&self, place: usize, one: &Loop, error: Option<&Error>) {
        if one.scope() == LoopScope::Each {
            return;
        }
        let Some(count) = self.0.loops.release(place) else { return };
        if let Err(error) = self.let_go(one, count, error).await {
            tracing::debug!(name = one.name, %error, "how a loop went was not stored");
        }
    }

    async fn let_go(&self, one: &Loop, count: usize, error: Option<&Error>) -> Result<(), Error> {
        let view = self.storage().read(View::Latest).await?;
        let found = view.get::<LoopState>(one.name).await?;
        let Some(mut state) = found.filter(|state| state.holder.as_ref() == Some(&self.0.holder)) else {
            return Ok(());
        };
        let now = view.now();
        (state.holder, state.leased_until, state.ended_at) = (None, now, Some(now));
        state.last_count = i64::try_from(count).unwrap_or(i64::MAX);
        state.last_error = error.map(|error| error.to_string().chars().take(LONGEST).collect());
        let mut changes = Changes::bookkeeping();
        changes.update(state);
        match self.storage().apply(changes).await {
            Ok(_) | Err(ApplyError::Stale { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Runs a loop in a task of its own, for as long as the lease is kept and nobody shuts down. What it is dropped in is
    /// found again by the next run.
    pub(super) fn run_apart(&self, place: usize, one: &'static Loop) {
        self.0.loops.begins_apart(place);
        let (engine, underway) = (self.clone(), Underway::begin(self));
        self.ports().spawner.spawn(Box::pin(async move {
            let started = engine.storage().read(View::Latest).await.map(|view| view.now());
            engine.0.loops.sweeps(place, engine.ports().clock.monotonic(), started.unwrap_or_default());
            let ending = async {
                let _ = select(pin!(engine.keep_loop(place, one)), pin!(engine.0.loops.stopped())).await;
            };
            let swept = match select((one.sweep)(&engine), pin!(ending)).await {
                Either::Left((swept, _)) => swept,
                Either::Right(_) => {
                    let message = "it was cut short: the lease was lost, or the server stops";
                    Err(Error::new(ErrorKind::Unavailable, "cut_short", message))
                }
            };
            let ended = engine.storage().read(View::Latest).await.map(|view| view.now());
            engine.0.loops.swept(place, ended.unwrap_or_default(), &swept);
            engine.end_loop(place, one, swept.as_ref().err()).await;
            engine.0.loops.ends_apart(place);
            engine.0.work.notify();
            drop(underway);
        }));
    }

    /// Returns when the lease is lost, or may be.
    async fn keep_loop(&self, place: usize, one: &Loop) {
        let (clock, lease) = (&self.ports().clock, self.cadence().lease);
        loop {
            clock.sleep_until(clock.monotonic() + lease / 3).await;
            match self.claim_loop(place, one).await {
                Ok(None) => {}
                // Asked again in a third.
                Err(_) if self.0.loops.holds(place, clock.monotonic() + lease / 10) => {}
                Ok(Some(_)) | Err(_) => return,
            }
        }
    }
}
