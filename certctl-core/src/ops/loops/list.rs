//! How the loops do.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{LoopScope, LoopState, Timestamp};
use crate::engine::loops::LOOPS;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// Lists every loop, in the order in which they are looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct List;

/// How a loop does. Of one that every engine runs this is what the asked engine did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopReport {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub does: &'static str,
    /// Who runs it.
    pub scope: LoopScope,
    /// The longest time between two looks.
    pub interval: Duration,
    /// When the asked engine last looked whether there is something to do.
    pub looked_at: Option<Timestamp>,
    /// When the last run began.
    pub started_at: Option<Timestamp>,
    /// When the last run ended; before its beginning while one is under way.
    pub ended_at: Option<Timestamp>,
    /// Why the last run failed.
    pub last_error: Option<String>,
    /// When it has something to do next, as far as is known.
    pub next_due_at: Option<Timestamp>,
    /// The engine that runs it now.
    pub holder: Option<String>,
    /// Runs that were begun.
    pub runs: u64,
    /// What the last run did, in pieces of work.
    pub last_count: u64,
}

#[async_trait]
impl Operation for List {
    type Output = Vec<LoopReport>;
    const NAME: &'static str = "loop.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Vec<LoopReport>, Error> {
        let (engine, now) = (cx.engine, cx.now());
        let stored = cx.unit.list(Query::<LoopState>::all().limit(LOOPS.len() * 2)).await?.records;
        let mut stored: BTreeMap<String, LoopState> =
            stored.into_iter().map(|state| (state.id.to_string(), state.into_entity())).collect();
        let mut reports = Vec::with_capacity(LOOPS.len());
        for (place, one) in LOOPS.iter().enumerate() {
            let seen = engine.0.loops.seen(place);
            let next_due_at = (one.next_due)(engine).await?.map(|due| now + due);
            let here = LoopReport {
                name: one.name,
                does: one.does,
                scope: one.scope(),
                interval: (one.interval)(engine.cadence()),
                looked_at: seen.looked_at,
                started_at: seen.started_at,
                ended_at: seen.ended_at,
                last_error: seen.last_error,
                next_due_at,
                holder: None,
                runs: seen.runs,
                last_count: u64::try_from(seen.last_count).unwrap_or(u64::MAX),
            };
            reports.push(match stored.remove(one.name) {
                Some(state) => LoopReport {
                    started_at: state.started_at,
                    ended_at: state.ended_at,
                    // What failed before it had the lease is known here alone.
                    last_error: state.last_error.or(here.last_error.clone()),
                    holder: state.holder.filter(|_| state.leased_until > now),
                    runs: u64::try_from(state.runs).unwrap_or(0),
                    last_count: u64::try_from(state.last_count).unwrap_or(0),
                    ..here
                },
                None => here,
            });
        }
        Ok(reports)
    }
}
