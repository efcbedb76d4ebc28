//! Ends jobs that waited too long for a request or an approval.

use std::time::Duration;

use crate::domain::{Job, JobState, Principal, Timestamp};
use crate::engine::Engine;
use crate::error::Error;
use crate::jobs::failed::{self, Failure};
use crate::storage::{ApplyError, Query, UnitOfWork, View};

/// Ends them, each in its own commit; gives how many.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let found = view.list(late(view.now()).limit(engine.cadence().sweep_batch)).await?;
    drop(view);
    let mut ended = 0;
    for job in found.records {
        if end(engine, &job).await? {
            ended += 1;
        }
    }
    Ok(ended)
}

/// When the earliest of them has waited long enough, from now.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let now = view.now();
    let next = view.first(late(Timestamp(Timestamp::NEVER.0 - 1))).await?;
    Ok(next.map(|job| job.due_at.since(now)))
}

fn late(now: Timestamp) -> Query<Job> {
    let fields = Job::FIELDS;
    Query::sorted(fields.due_at.ascending())
        .filter(fields.state.one_of([JobState::AwaitingCsr, JobState::AwaitingApproval]))
        .filter(fields.due_at.below(Timestamp(now.0.saturating_add(1))))
}

async fn end(engine: &Engine, found: &Job) -> Result<bool, Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let Some(job) = unit.get::<Job>(found.id.as_str()).await? else { return Ok(false) };
    let waited_for = match job.state {
        JobState::AwaitingCsr => "a certificate signing request",
        JobState::AwaitingApproval => "an approval",
        _ => return Ok(false),
    };
    if job.due_at > unit.now() {
        return Ok(false);
    }
    let message = format!("it waited too long for {waited_for}");
    let principal = Principal::system();
    let failure = Failure { message: &message, retryable: false, retry_after: None, principal: &principal };
    failed::record(engine, &mut unit, job, &failure).await?;
    match engine.commit(unit).await {
        Ok(()) => Ok(true),
        Err(ApplyError::Stale { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
