//! How a request stands.

use std::time::Duration;

use async_trait::async_trait;

use super::answer::Stop;
use super::known::is_live;
use super::request::{RepeatKey, Repeats, enrolment_id};
use super::{Enrolled, Refusal, RefusalReason, WaitsFor};
use crate::domain::{Certificate, EnrolSource, Enrolment, Job, JobId, JobState, KeyId, Timestamp, Version, VersionId};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::{Reads, UnitOfWork};

/// Asks how a request stands. Changes nothing.
#[derive(Clone, Debug)]
pub enum Standing {
    /// Of the request that a job is for.
    Job(JobId),
    /// Of the request that this principal made under a key.
    Key(EnrolSource, String),
}

#[async_trait]
impl Operation for Standing {
    /// `None` when there is no such request.
    type Output = Option<Enrolled>;
    const NAME: &'static str = "enrol.standing";
    const ACCESS: Access = Access::OPEN;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Option<Enrolled>, Error> {
        let job_id = match self {
            Self::Job(id) => Some(id.clone()),
            Self::Key(source, key) => {
                let id = enrolment_id(*source, cx.principal, key)?;
                let found = cx.unit.peek::<Enrolment>(id.as_str()).await?;
                found.map(|enrolment| enrolment.into_entity().job_id)
            }
        };
        let Some(job_id) = job_id else { return Ok(None) };
        let Some(job) = cx.unit.peek::<Job>(job_id.as_str()).await? else { return Ok(None) };
        if !job.kind.issues() {
            return Ok(None);
        }
        Ok(Some(match outcome(&job) {
            Outcome::Waits(waits_for) => pending(&job, waits_for),
            Outcome::Made(version) => match cx.unit.peek::<Version>(version.as_str()).await? {
                Some(version) => issued(&job, version),
                None => return Ok(None),
            },
            Outcome::Failed => Enrolled::Refused(Refusal::new(RefusalReason::Issuer, reason(&job))),
            Outcome::CalledOff => Enrolled::Refused(Refusal::new(RefusalReason::Rejected, reason(&job))),
        }))
    }
}

/// How a job stands, for whoever waits for its version.
enum Outcome {
    Waits(WaitsFor),
    Made(VersionId),
    Failed,
    CalledOff,
}

fn outcome(job: &Job) -> Outcome {
    match (job.state, &job.version_id) {
        (JobState::Completed, Some(version)) => Outcome::Made(version.clone()),
        (JobState::AwaitingApproval, _) => Outcome::Waits(WaitsFor::Approval),
        (JobState::AwaitingCsr | JobState::Pending | JobState::Running, _) => Outcome::Waits(WaitsFor::Issuer),
        (JobState::Failed, _) if !job.exhausted => Outcome::Waits(WaitsFor::Issuer),
        (JobState::Failed | JobState::Completed, _) => Outcome::Failed,
        (JobState::Cancelled, _) => Outcome::CalledOff,
    }
}

fn pending(job: &Job, waits_for: WaitsFor) -> Enrolled {
    Enrolled::Pending { certificate_id: job.certificate_id.clone(), job_id: job.id.clone(), waits_for }
}

fn issued(job: &Job, version: Record<Version>) -> Enrolled {
    let version = version.into_entity();
    Enrolled::Issued {
        certificate_id: job.certificate_id.clone(),
        version_id: version.id,
        job_id: job.id.clone(),
        chain: version.chain,
    }
}

fn reason(job: &Job) -> String {
    job.last_error.clone().unwrap_or_else(|| format!("job {} is {}", job.id, job.state))
}

/// What the first request under the same key is answered now; `None` where it is over, so that this one is a new one.
pub(super) async fn again(
    unit: &UnitOfWork,
    first: &Enrolment,
    (key, repeat): (&KeyId, &RepeatKey),
) -> Result<Option<Enrolled>, Stop> {
    let mut reads = Reads::default();
    let job = reads.get::<Job>(first.job_id.as_str());
    let certificate = reads.get::<Certificate>(first.certificate_id.as_str());
    let mut found = unit.read(reads).await?;
    let (Some(job), Some(certificate)) = (found.one::<Job>(&job)?, found.one::<Certificate>(&certificate)?) else {
        return Ok(None);
    };
    let live = is_live(&certificate);
    let since = job.completed_at.unwrap_or(job.created_at);
    let answer = match outcome(&job) {
        // It lost its request, so this one takes its place.
        Outcome::Waits(_) if job.state == JobState::AwaitingCsr => None,
        Outcome::Waits(waits_for) => Some(pending(&job, waits_for)),
        Outcome::Made(version) => {
            let version = unit.peek::<Version>(version.as_str()).await?;
            version
                .filter(|version| live && counts(version, repeat.repeats, unit.now()))
                .map(|version| issued(&job, version))
        }
        Outcome::CalledOff if repeat.repeats == Repeats::ForEver || unit.now().since(since) < DAY => {
            Some(Enrolled::Refused(Refusal::new(RefusalReason::Rejected, reason(&job))))
        }
        Outcome::Failed if repeat.repeats == Repeats::ForEver => {
            Some(Enrolled::Refused(Refusal::new(RefusalReason::Issuer, reason(&job))))
        }
        Outcome::Failed | Outcome::CalledOff => None,
    };
    if answer.is_some() && first.key_id != *key {
        let message = "a request with another key came under this name before; choose a new name for each request";
        return Stop::because(RefusalReason::Repeated, message);
    }
    Ok(answer)
}

const DAY: Duration = Duration::from_secs(86_400);

/// Whether a version is still the answer to its own request: a client that lost the answer asks again soon, and one that asks
/// when a third of the lifetime has passed wants a new one.
fn counts(version: &Version, repeats: Repeats, now: Timestamp) -> bool {
    let third = version.not_after.since(version.not_before) / 3;
    match repeats {
        Repeats::ForEver => true,
        Repeats::ForADay => now.since(version.created_at) < third.min(DAY),
    }
}
