//! Deployment jobs: one for each target, for its agent alone.

use crate::domain::{
    Certificate, CertificateId, CertificateTarget, Job, JobId, JobState, JobType, RenewalPolicy, ShapeState, TargetId,
    Timestamp, VerificationStatus, Version,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::open::{Opening, new_job};
use crate::storage::{Hint, Query, UnitOfWork};

/// A deployment to record.
pub(crate) struct NewDeployment<'a> {
    pub(crate) certificate: &'a Certificate,
    pub(crate) target: &'a CertificateTarget,
    pub(crate) version: &'a Version,
    pub(crate) policy: &'a RenewalPolicy,
    pub(crate) requested_by: &'a str,
}

/// Records the job and wakes the agent.
pub(crate) fn insert(engine: &Engine, unit: &mut UnitOfWork, new: &NewDeployment<'_>) -> JobId {
    let job = job(engine, unit.now(), new);
    let id = job.id.clone();
    unit.insert(job);
    unit.signal(Hint { topic: Engine::AGENT_WORK, key: new.target.agent_id.to_string() });
    id
}

/// The job, due now.
pub(crate) fn job(engine: &Engine, now: Timestamp, new: &NewDeployment<'_>) -> Job {
    let opening = Opening {
        certificate: new.certificate,
        holders: &std::collections::BTreeSet::new(),
        kind: JobType::Deployment,
        policy: new.policy,
        requested_by: new.requested_by,
        // What was issued was approved.
        needs_approval: false,
    };
    let agent = &new.target.agent_id;
    Job {
        state: JobState::Pending,
        target_id: Some(new.target.target_id.clone()),
        agent_id: Some(agent.clone()),
        key_holder: agent.to_string(),
        version_id: Some(new.version.id.clone()),
        partition: Job::agent_partition(agent),
        due_at: now,
        open_slot: Some(Job::deploy_slot(&new.certificate.id, &new.target.target_id)),
        verification_status: Some(VerificationStatus::Pending),
        expected_fingerprint: Some(new.version.fingerprint_sha256),
        // Of no round, until it gets one.
        rollout: new.policy.deployment_waves.is_some().then_some(0),
        ..new_job(engine, &opening, now)
    }
}

/// The newest version of a key holder that may be deployed: one whose shape is held is not.
pub(crate) fn newest_deployable(certificate: &CertificateId, key_holder: &str) -> Query<Version> {
    let fields = Version::FIELDS;
    Query::sorted(fields.created_at.descending())
        .filter(fields.certificate_id.equals(certificate.clone()))
        .filter(fields.key_holder.equals(key_holder.to_owned()))
        .filter(fields.shape.differs(ShapeState::Held))
}

/// The open deployment of a certificate to a target.
pub(crate) async fn open_one(
    unit: &UnitOfWork,
    certificate: &CertificateId,
    target: &TargetId,
) -> Result<Option<Record<Job>>, Error> {
    let slot = Job::deploy_slot(certificate, target);
    Ok(unit.first(Query::all().filter(Job::FIELDS.open_slot.equals(Some(slot)))).await?)
}

/// Calls off the open deployment of an older version: a newer one must not be overtaken by it. Gives it where it is of a
/// [rollout](super::rollout), whose other targets may have waited for it.
pub(crate) async fn supersede(
    unit: &mut UnitOfWork,
    certificate: &CertificateId,
    target: &TargetId,
) -> Result<Option<Job>, Error> {
    let Some(mut job) = open_one(unit, certificate, target).await? else { return Ok(None) };
    cancel(&mut job, unit.now(), "a newer version takes its place")?;
    let of_a_rollout = job.rollout.is_some().then(|| Job::clone(&job));
    unit.update(job);
    Ok(of_a_rollout)
}

/// Ends an open job.
pub(crate) fn cancel(job: &mut Job, now: Timestamp, why: &str) -> Result<(), Error> {
    job.state = job
        .state
        .transition(JobState::Cancelled)
        .map_err(|error| Error::conflict("job_is_closed", format!("{error}; only open jobs can be cancelled")))?;
    (job.open_slot, job.holder, job.step) = (None, None, None);
    (job.due_at, job.completed_at) = (Timestamp::NEVER, Some(now));
    job.last_error = Some(why.into());
    Ok(())
}
