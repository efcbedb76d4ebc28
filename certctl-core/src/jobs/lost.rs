//! A lost attempt: its holder let the lease end without a word. It counts, or a job that kills its process each time
//! would be tried without end.

use serde_json::json;

use super::failed::{self, Failure};
use super::queue::insist;
use crate::domain::{AuditAction, Job, Principal};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::ports::{Monotonic, within};
use crate::storage::{Lease, UnitOfWork};

/// What is written of a lost attempt, and what outlives it in the job's last error.
pub(crate) const LOST: &str = "an attempt was lost: its holder let the lease end without a word, because its process died or could \
                    not reach the store";

/// Counts the attempt that an earlier holder lost, before the work begins again. False when there is nothing to begin:
/// attempts are used up, or it could not be written while the lease lasts.
///
/// This is the claimer's first write and not part of the claim: the store knows queues, not what an attempt means.
/// Nobody prolongs the lease until it is done, so it undoes no prolongation.
pub(super) async fn count(engine: &Engine, lease: &Lease<Job>, asked_at: Monotonic) -> bool {
    let clock = &engine.ports().clock;
    let left = clock.monotonic().until(asked_at + engine.cadence().lease * 9 / 10);
    let counted = insist(engine, || record(engine, lease));
    match within(&**clock, left, counted).await {
        Some(Ok(goes_on)) => goes_on,
        Some(Err(error)) => {
            tracing::error!(job = %lease.record.id, error = %error, "a lost attempt cannot be counted");
            false
        }
        None => false,
    }
}

/// Counts it in a commit of its own. Whether attempts are left; repeating it counts nothing twice.
///
/// # Errors
/// The store's.
pub(crate) async fn record(engine: &Engine, lease: &Lease<Job>) -> Result<bool, Error> {
    let principal = Principal::system();
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let Some(job) = unit.held::<Job>(&lease.fence).await? else { return Ok(false) };
    if job.version() != lease.record.version() {
        // Written since the claim: an answer was lost, not the write.
        return Ok(true);
    }
    tracing::warn!(job = %job.id, attempts = job.attempts + 1, "an attempt was lost");
    let goes_on = job.attempts + 1 < job.max_attempts;
    if goes_on {
        again(engine, &mut unit, job, &principal);
    } else {
        let failure = Failure { message: LOST, retryable: false, retry_after: None, principal: &principal };
        failed::record(engine, &mut unit, job, &failure).await?;
    }
    engine.commit(unit).await?;
    Ok(goes_on)
}

/// The attempt counts, and its successor begins at once: whatever the first one began is better finished soon.
fn again(engine: &Engine, unit: &mut UnitOfWork, mut job: Record<Job>, principal: &Principal) {
    let now = unit.now();
    job.attempts += 1;
    job.started_at = job.started_at.or(Some(now));
    job.last_error = Some(LOST.to_owned());
    let details = json!({ "error": LOST, "attempts": job.attempts, "next_attempt_at": now });
    unit.append(audit_event(engine, principal, now, AuditAction::JobRetry, ("job", job.id.as_str()), details));
    unit.update(job);
}
