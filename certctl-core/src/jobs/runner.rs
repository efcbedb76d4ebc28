//! Claims leased issuing jobs and performs one step of each: one call to the issuer, one commit.

use std::time::Duration;

use serde_json::json;

use super::compromised;
use super::descent::Descent;
use super::failed::{self, Failure};
use super::health;
use super::issued::{self, Issued};
use super::lost;
use super::order::Order;
use super::permit::Permit;
use super::policy;
use super::queue::{Queue, insist, while_held};
use super::step::Step;
use super::subject::Subject;
use crate::connector::{ConnectorErrorKind, Issuance, IssueOrder};
use crate::decide::fallback::Asking;
use crate::domain::{AuditAction, IssuerRecord, Job, JobState, Principal};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::{Error, ErrorKind};
use crate::ops::context::audit_event;
use crate::storage::{Hint, Lease, Query, UnitOfWork, View};

/// Issuing jobs are few kinds of partitions: one for each issuer.
async fn partitions(engine: &Engine) -> Result<Vec<String>, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let issuers = view.list(Query::<IssuerRecord>::all().limit(1_000)).await?;
    Ok(issuers.records.iter().map(|issuer| Job::issuer_partition(issuer.id.as_str())).collect())
}

const QUEUE: Queue<Job> = Queue {
    permit: |job| job.partition.clone(),
    work: |engine, lease, asked_at| {
        Box::pin(async move {
            if !lease.abandoned || lost::count(engine, lease, asked_at).await {
                while_held(engine, &lease.fence, asked_at, Box::pin(perform(engine, lease))).await;
            }
        })
    },
};

async fn free(engine: &Engine) -> Result<Vec<(String, u32)>, Error> {
    Ok(Permit::free(engine, engine.cadence().permits_per_partition, partitions(engine).await?))
}

pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    Queue::<Job>::next_due(engine, free(engine).await?).await
}

pub(crate) async fn claim_and_start(engine: &Engine) -> Result<usize, Error> {
    QUEUE.claim_and_start(engine, free(engine).await?).await
}

async fn perform(engine: &Engine, lease: &Lease<Job>) {
    if let Err(error) = insist(engine, || step(engine, lease)).await {
        // The lease runs out and the job is taken up again.
        tracing::error!(job = %lease.record.id, error = %error, source = ?std::error::Error::source(&error), "a job step failed");
    }
}

async fn step(engine: &Engine, lease: &Lease<Job>) -> Result<(), Error> {
    let principal = Principal::system();
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let Some(job) = unit.held::<Job>(&lease.fence).await? else { return Ok(()) };
    let Some(mut step) = Step::open(engine, &job)? else { return wait_again(engine, unit, job).await };
    let subject = Subject::read(&mut unit, &job.certificate_id, &job.key_holder, &step.csr).await?;
    let subject = subject.ok_or_else(|| Error::not_found("certificate", &job.certificate_id))?;
    let Subject { certificate, targets, key, predecessor, .. } = subject;
    let asking = Asking { begun: step.issuer.as_ref(), retried: job.attempts > 0 };
    let order = match Order::asked(engine, &unit, &certificate, (Some(step.csr.key_algorithm()), asking)).await {
        Ok(order) => order,
        Err(error) if error.kind() == ErrorKind::Invalid => {
            let failure =
                Failure { message: error.message(), retryable: false, retry_after: None, principal: &principal };
            return fail(engine, unit, job, &failure).await;
        }
        Err(error) => return Err(error),
    };
    if step.issuer.as_ref() != Some(&order.issuer_id) {
        // What one issuer began means nothing to another.
        (step.state, step.refused, step.issuer) = (None, None, Some(order.issuer_id.clone()));
    }
    // It may have become so while the request waited. What a CA is busy with goes on: it would be certified there, and unknown here.
    if step.state.is_none()
        && let Some(refusal) = compromised::refusal(&unit, key.as_deref()).await?
    {
        let failure =
            Failure { message: refusal.message(), retryable: false, retry_after: None, principal: &principal };
        return fail(engine, unit, job, &failure).await;
    }
    let ordered = policy::Ordered { certificate: &certificate, order: &order, targets: &targets };
    let breaches = policy::at_issuance(engine, &mut unit, &principal, ordered, None).await?;
    if !breaches.is_empty() {
        return fail(engine, unit, job, &forbidden(&policy::reason(&breaches), &principal)).await;
    }
    let asked = (&order.issuer_id, &*order.issuer);
    let descent = Descent::of(asked, predecessor.as_ref(), step.refused.as_deref()).await;
    let request = IssueOrder {
        idempotency_key: job.id.as_str(),
        csr: &step.csr,
        names: &order.names,
        terms: &order.terms,
        replaces: descent.replaces.as_ref(),
        now: unit.now(),
    };
    let answer = match &step.state {
        None => order.issuer.issue(request).await,
        Some(state) => order.issuer.resume(request, state).await,
    };
    match answer {
        Ok(Issuance::Issued(chain)) => {
            let validity = issued::validity(&order, &step.csr, &chain, unit.now());
            let breaches = policy::at_issuance(engine, &mut unit, &principal, ordered, validity).await?;
            if !breaches.is_empty() {
                return fail(engine, unit, job, &forbidden(&policy::reason(&breaches), &principal)).await;
            }
            let issued = Issued {
                certificate,
                targets,
                key,
                job: Some(job),
                new_job: None,
                csr: &step.csr,
                chain,
                order: &order,
                descent: &descent,
                predecessor: predecessor.as_ref(),
                principal: &principal,
            };
            match issued::record(engine, &mut unit, issued).await {
                Ok(_) => {
                    commit(engine, unit).await?;
                    health::succeeded(engine, &order.issuer_id, order.health.as_deref().map(|health| &**health)).await;
                    Ok(())
                }
                // What came does not fit what was asked for: the attempt failed, and nothing of it is kept.
                Err(error) if matches!(error.code(), "bad_issuance" | "key_in_use") => {
                    let mut unit = UnitOfWork::begin(engine.storage()).await?;
                    let Some(job) = unit.held::<Job>(&lease.fence).await? else { return Ok(()) };
                    let retryable = error.code() == "bad_issuance";
                    let failure =
                        Failure { message: error.message(), retryable, retry_after: None, principal: &principal };
                    fail(engine, unit, job, &failure).await
                }
                Err(error) => Err(error),
            }
        }
        Ok(Issuance::Pending { state, retry_after, .. }) => {
            // Reading the certificate pinned it, but only its job moves on.
            let sealed = Step { state: Some(state), ..step }.seal(engine, &job)?;
            requeue(engine, unit.bookkeeping(), job, sealed, retry_after).await
        }
        // Asked again without it: no attempt is lost, and a second refusal is a failure as any other.
        Err(error) if error.kind == ConnectorErrorKind::Lineage && descent.replaces.is_some() => {
            let why = error.explained();
            let details = json!({ "job_id": job.id, "error": why });
            let about = ("certificate", certificate.id.as_str());
            unit.append(audit_event(engine, &principal, unit.now(), AuditAction::LineageBroken, about, details));
            let sealed = Step { state: None, refused: Some(why), ..step }.seal(engine, &job)?;
            requeue(engine, unit, job, sealed, Duration::ZERO).await
        }
        Err(error) => {
            let mut job = job;
            if error.begins_anew && step.state.is_some() {
                job.step = Some(Step { state: None, ..step }.seal(engine, &job)?);
            }
            let failure = Failure {
                message: &error.explained(),
                retryable: error.kind.is_retryable(),
                retry_after: error.retry_after,
                principal: &principal,
            };
            fail(engine, unit, job, &failure).await?;
            health::failed(engine, &order.issuer_id, &error).await;
            Ok(())
        }
    }
}

/// Asking again would change nothing: the job is at its end.
fn forbidden<'a>(message: &'a str, principal: &'a Principal) -> Failure<'a> {
    Failure { message, retryable: false, retry_after: None, principal }
}

/// A job without a request goes back to waiting for one.
async fn wait_again(engine: &Engine, mut unit: UnitOfWork, mut job: Record<Job>) -> Result<(), Error> {
    job.state = job.state.transition(JobState::AwaitingCsr).map_err(Error::internal)?;
    job.holder = None;
    job.due_at = unit.now() + engine.cadence().awaiting_csr;
    if let Some(agent) = &job.agent_id {
        unit.signal(Hint { topic: Engine::AGENT_WORK, key: agent.to_string() });
    }
    let unit_changes = {
        unit.update(job);
        unit.bookkeeping()
    };
    commit(engine, unit_changes).await
}

async fn requeue(
    engine: &Engine,
    mut unit: UnitOfWork,
    mut job: Record<Job>,
    step: Vec<u8>,
    after: Duration,
) -> Result<(), Error> {
    job.state = job.state.transition(JobState::Pending).map_err(Error::internal)?;
    (job.holder, job.step, job.due_at) = (None, Some(step), unit.now() + after);
    unit.update(job);
    commit(engine, unit).await
}

async fn fail(engine: &Engine, mut unit: UnitOfWork, job: Record<Job>, failure: &Failure<'_>) -> Result<(), Error> {
    failed::record(engine, &mut unit, job, failure).await?;
    commit(engine, unit).await
}

async fn commit(engine: &Engine, unit: UnitOfWork) -> Result<(), Error> {
    Ok(engine.commit(unit).await?)
}
