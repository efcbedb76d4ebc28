//! Forgets named calls whose day is over.

use std::time::Duration;

use crate::domain::{IdempotentCall, Timestamp};
use crate::engine::Engine;
use crate::error::Error;
use crate::storage::{ApplyError, Changes, Query, View};

/// Forgets them, a batch in one commit; gives how many.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let found = view.list(over(view.now()).limit(engine.cadence().sweep_batch)).await?.records;
    drop(view);
    if found.is_empty() {
        return Ok(0);
    }
    let mut changes = Changes::bookkeeping();
    for call in &found {
        changes.delete(call);
    }
    match engine.storage().apply(changes).await {
        Ok(_) => Ok(found.len()),
        // Another replica was faster, or one was begun anew; the next pass finds what is left.
        Err(ApplyError::Stale { .. }) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// When the first of them is over, from now.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let now = view.now();
    let first = view.first(over(Timestamp(Timestamp::NEVER.0 - 1))).await?;
    Ok(first.map(|call| call.expires_at.since(now)))
}

fn over(now: Timestamp) -> Query<IdempotentCall> {
    let fields = IdempotentCall::FIELDS;
    Query::sorted(fields.expires_at.ascending()).filter(fields.expires_at.below(Timestamp(now.0.saturating_add(1))))
}
