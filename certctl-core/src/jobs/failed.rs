//! A failed attempt: another follows, or the job is at its end.

use std::time::Duration;

use serde_json::json;

use crate::decide::backoff;
use crate::domain::{
    AuditAction, Certificate, Job, JobState, JobType, Lifecycle, NotificationType, Principal, RenewalPolicy, Timestamp,
    Version,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::rollout::{self, Ended, Told};
use crate::ops::context::audit_event;
use crate::outbox::{self, About};
use crate::storage::{Query, UnitOfWork};

/// How an attempt failed.
pub(crate) struct Failure<'a> {
    /// What went wrong, for people.
    pub(crate) message: &'a str,
    /// Whether another attempt may help.
    pub(crate) retryable: bool,
    /// Not before this long from now.
    pub(crate) retry_after: Option<Duration>,
    /// Who reported it.
    pub(crate) principal: &'a Principal,
}

/// Longest error text that is kept, in characters.
const LONGEST: usize = 2_000;

/// Records the failure of an attempt at a job: a retry with growing distance, or the end with what it means for the
/// certificate (requirements B2).
pub(crate) async fn record(
    engine: &Engine,
    unit: &mut UnitOfWork,
    mut job: Record<Job>,
    failure: &Failure<'_>,
) -> Result<(), Error> {
    let now = unit.now();
    job.attempts += 1;
    job.started_at = job.started_at.or(Some(now));
    job.state = job.state.transition(JobState::Failed).map_err(Error::internal)?;
    job.holder = None;
    job.last_error = Some(failure.message.chars().take(LONGEST).collect());
    if failure.retryable && job.attempts < job.max_attempts {
        let interval = Duration::from_secs(u64::try_from(job.retry_interval_seconds).unwrap_or(1));
        let attempts = u32::try_from(job.attempts).unwrap_or(u32::MAX);
        let pause = backoff::job(interval, attempts, engine.ports().rng.next_u64())
            .max(failure.retry_after.unwrap_or_default());
        job.due_at = now + pause;
        job.scheduled_at = job.due_at;
        let details = json!({ "error": job.last_error, "attempts": job.attempts, "next_attempt_at": job.due_at });
        unit.append(audit_event(
            engine,
            failure.principal,
            now,
            AuditAction::JobRetry,
            ("job", job.id.as_str()),
            details,
        ));
    } else {
        exhaust(engine, unit, &mut job, failure.principal).await?;
    }
    unit.update(job);
    Ok(())
}

async fn exhaust(engine: &Engine, unit: &mut UnitOfWork, job: &mut Job, principal: &Principal) -> Result<(), Error> {
    let now = unit.now();
    (job.exhausted, job.open_slot, job.step) = (true, None, None);
    (job.due_at, job.completed_at) = (Timestamp::NEVER, Some(now));
    let certificate = unit.get::<Certificate>(job.certificate_id.as_str()).await?;
    let certificate = certificate.ok_or_else(|| Error::not_found("certificate", &job.certificate_id))?;
    let error = job.last_error.clone().unwrap_or_default();
    let (kind, action) = if job.kind == JobType::Deployment {
        (NotificationType::DeploymentFailure, AuditAction::DeploymentFailed)
    } else {
        (NotificationType::RenewalFailure, AuditAction::RenewalJobFailed)
    };
    let ended = Ended { certificate: &certificate, principal, jobs: &[job], called_off: false };
    // Where a rollout is halted by it, what is told of that says this, too.
    if rollout::ended(engine, unit, &ended).await? == Told::No {
        let about = About::new(&certificate, kind, job.id.as_str());
        let subject = format!("{} of {} failed", job.kind, certificate.name);
        let message = format!("{subject} after {} attempts: {error}", job.attempts);
        outbox::notify(engine, unit, &about, &subject, &message).await?;
    }
    let details = json!({ "job_id": job.id, "error": error, "attempts": job.attempts });
    unit.append(audit_event(engine, principal, now, action, ("certificate", certificate.id.as_str()), details));
    if job.kind.issues() {
        give_up(unit, certificate, job).await?;
    }
    Ok(())
}

/// What the end of an issuing job without a version means for its certificate: the next renewal is planned with growing
/// distance, never silently stopped.
pub(crate) async fn give_up(
    unit: &mut UnitOfWork,
    mut certificate: Record<Certificate>,
    job: &Job,
) -> Result<(), Error> {
    let now = unit.now();
    let fields = Job::FIELDS;
    let others = Query::<Job>::all()
        .filter(fields.certificate_id.equals(certificate.id.clone()))
        .filter(fields.kind.one_of([JobType::Issuance, JobType::Renewal]))
        .filter(fields.open_slot.is_set())
        .filter(fields.id.differs(job.id.clone()));
    if unit.total(&others).await? > 0 {
        // Written all the same: of two last jobs that end at once each sees the other open, and only the certificate's
        // version tells the later one to look again. Else it would say for ever that a renewal is under way.
        certificate.updated_at = now;
        unit.update(certificate);
        return Ok(());
    }
    certificate.renewing = false;
    certificate.updated_at = now;
    certificate.failed_renewals += 1;
    if certificate.lifecycle == Lifecycle::Pending && job.state == JobState::Failed {
        certificate.lifecycle = Lifecycle::Failed;
    }
    let policy = unit.peek::<RenewalPolicy>(certificate.renewal_policy_id.as_str()).await?;
    let renews = policy.is_some_and(|policy| policy.auto_renew);
    certificate.renew_at = match certificate.lifecycle {
        // Where the policy does not renew, neither a failure nor a cancellation of what people began makes it.
        Lifecycle::Issued | Lifecycle::Failed if !renews => Timestamp::NEVER,
        // Called off by somebody: looked at again when it is due, not at once. A fixed pause would outlive certificates
        // that live for an hour.
        Lifecycle::Issued if job.state == JobState::Cancelled => {
            certificate.expiring_at.max(now + backoff::failed_renewal(1, lifetime(unit, &certificate).await?))
        }
        Lifecycle::Issued | Lifecycle::Failed => {
            let failures = u32::try_from(certificate.failed_renewals).unwrap_or(u32::MAX);
            now + backoff::failed_renewal(failures, lifetime(unit, &certificate).await?)
        }
        // A first issuance that was called off is for people to begin again.
        Lifecycle::Pending | Lifecycle::Revoked | Lifecycle::Archived => Timestamp::NEVER,
    };
    if certificate.lifecycle == Lifecycle::Issued {
        // After a failure all thresholds count, also those that have passed.
        certificate.alert_at = now;
    }
    unit.update(certificate);
    Ok(())
}

/// The lifetime of the newest version; a day when there is none.
async fn lifetime(unit: &UnitOfWork, certificate: &Certificate) -> Result<Duration, Error> {
    let newest = Query::<Version>::sorted(Version::FIELDS.created_at.descending())
        .filter(Version::FIELDS.certificate_id.equals(certificate.id.clone()));
    let newest = unit.first(newest).await?;
    Ok(newest.map_or(Duration::from_secs(86_400 * 10), |version| version.not_after.since(version.not_before)))
}
