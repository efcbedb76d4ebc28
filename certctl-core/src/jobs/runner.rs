//! Claims leased issuing jobs and performs one step of each: one call to the issuer, one commit.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::select;

use super::failed::{self, Failure};
use super::issued::{self, Issued};
use super::lease::keep;
use super::lost;
use super::order::Order;
use super::permit::Permit;
use super::policy;
use super::step::Step;
use super::subject::Subject;
use crate::connector::{Issuance, IssueOrder};
use crate::domain::{IssuerRecord, Job, JobState, Principal};
use crate::engine::{Engine, Underway};
use crate::entity::Record;
use crate::error::{Error, ErrorKind};
use crate::storage::{Claim, DueQuery, Hint, Lease, Leased, Query, UnitOfWork, View};

/// Issuing jobs are few kinds of partitions: one for each issuer.
async fn partitions(engine: &Engine) -> Result<Vec<String>, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let issuers = view.list(Query::<IssuerRecord>::all().limit(1_000)).await?;
    Ok(issuers.records.iter().map(|issuer| Job::issuer_partition(issuer.id.as_str())).collect())
}

pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    let free = Permit::free(engine, engine.cadence().permits_per_partition, partitions(engine).await?);
    let partitions = free.into_iter().map(|(partition, _)| partition).collect();
    Ok(engine.storage().next_due(&DueQuery { queue: Job::QUEUE, partitions }).await?)
}

pub(crate) async fn claim_and_start(engine: &Engine) -> Result<usize, Error> {
    let free = Permit::free(engine, engine.cadence().permits_per_partition, partitions(engine).await?);
    if free.is_empty() {
        return Ok(0);
    }
    // The lease counts from before the question.
    let asked_at = engine.ports().clock.monotonic();
    let claim =
        Claim { queue: Job::QUEUE, holder: engine.0.holder.clone(), partitions: free, lease: engine.cadence().lease };
    let leases = engine.storage().claim(claim).await?.leases::<Job>()?;
    let started = leases.len();
    for lease in leases {
        let permit = Permit::take(engine, &lease.record.partition);
        let (engine, underway) = (engine.clone(), Underway::begin(engine));
        let spawner = engine.ports().spawner.clone();
        spawner.spawn(Box::pin(async move {
            if !lease.abandoned || lost::count(&engine, &lease, asked_at).await {
                let keeper = keep(&engine, &lease.fence, asked_at);
                // Losing the lease drops the work at its next await: the connector's future is cancelled.
                select(pin!(perform(&engine, &lease)), pin!(keeper)).await;
            }
            drop((permit, underway));
        }));
    }
    Ok(started)
}

/// What happened in the world must reach the store: repeated on a store that cannot be reached until the lease ends.
async fn perform(engine: &Engine, lease: &Lease<Job>) {
    let mut pause = engine.cadence().retry;
    loop {
        match step(engine, lease).await {
            Ok(()) => return,
            Err(error) if error.kind() == ErrorKind::Unavailable || error.code() == "changed_meanwhile" => {
                let clock = &engine.ports().clock;
                clock.sleep_until(clock.monotonic() + pause).await;
                pause *= 2;
            }
            Err(error) => {
                // The lease runs out and the job is taken up again.
                tracing::error!(job = %lease.record.id, error = %error, source = ?std::error::Error::source(&error), "a job step failed");
                return;
            }
        }
    }
}

async fn step(engine: &Engine, lease: &Lease<Job>) -> Result<(), Error> {
    let principal = Principal::system();
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let Some(job) = unit.held::<Job>(&lease.fence).await? else { return Ok(()) };
    let Some(step) = Step::open(engine, &job)? else { return wait_again(engine, unit, job).await };
    let subject = Subject::read(&mut unit, &job.certificate_id, &job.key_holder, &step.csr).await?;
    let subject = subject.ok_or_else(|| Error::not_found("certificate", &job.certificate_id))?;
    let Subject { certificate, targets, key, replaces, .. } = subject;
    let order = match Order::of(engine, &unit, &certificate, Some(step.csr.key_algorithm())).await {
        Ok(order) => order,
        Err(error) if error.kind() == ErrorKind::Invalid => {
            let failure =
                Failure { message: error.message(), retryable: false, retry_after: None, principal: &principal };
            return fail(engine, unit, job, &failure).await;
        }
        Err(error) => return Err(error),
    };
    let ordered = policy::Ordered { certificate: &certificate, order: &order, targets: &targets };
    let breaches = policy::at_issuance(engine, &mut unit, &principal, ordered, None).await?;
    if !breaches.is_empty() {
        return fail(engine, unit, job, &forbidden(&policy::reason(&breaches), &principal)).await;
    }
    let request = IssueOrder {
        idempotency_key: job.id.as_str(),
        csr: &step.csr,
        names: &order.names,
        terms: &order.terms,
        replaces: replaces.as_ref(),
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
                principal: &principal,
            };
            match issued::record(engine, &mut unit, issued).await {
                Ok(_) => commit(engine, unit).await,
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
            let sealed = Step { csr: step.csr.clone(), state: Some(state) }.seal(engine, &job)?;
            requeue(engine, unit, job, sealed, retry_after).await
        }
        Err(error) => {
            let failure = Failure {
                message: &error.explained(),
                retryable: error.kind.is_retryable(),
                retry_after: error.retry_after,
                principal: &principal,
            };
            fail(engine, unit, job, &failure).await
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
    commit(engine, unit.bookkeeping()).await
}

async fn fail(engine: &Engine, mut unit: UnitOfWork, job: Record<Job>, failure: &Failure<'_>) -> Result<(), Error> {
    failed::record(engine, &mut unit, job, failure).await?;
    commit(engine, unit).await
}

async fn commit(engine: &Engine, unit: UnitOfWork) -> Result<(), Error> {
    Ok(engine.commit(unit).await?)
}
