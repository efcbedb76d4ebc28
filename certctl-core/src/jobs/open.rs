//! Opening the jobs that obtain a version: one for each agent that holds a key (requirements B3).

use std::collections::BTreeSet;

use crate::domain::{
    AgentId, Certificate, CertificateId, CertificateTarget, Job, JobId, JobState, JobType, RenewalPolicy, Timestamp,
};
use crate::engine::Engine;
use crate::error::Error;
use crate::storage::{Hint, Query, UnitOfWork};

/// Most targets that one certificate can have.
pub(crate) const MAX_TARGETS: usize = 500;

/// The targets that a certificate is mapped to.
pub(crate) async fn targets_of(unit: &UnitOfWork, certificate: &Certificate) -> Result<Vec<CertificateTarget>, Error> {
    let found = unit.list(targets_query(&certificate.id)).await?;
    Ok(found.records.into_iter().map(crate::entity::Record::into_entity).collect())
}

/// How those targets are found.
pub(crate) fn targets_query(certificate: &CertificateId) -> Query<CertificateTarget> {
    let of = CertificateTarget::FIELDS.certificate_id.equals(certificate.clone());
    Query::all().filter(of).limit(MAX_TARGETS)
}

/// The agents that hold a key of the certificate; none when whoever sends a request holds it.
pub(crate) fn key_holders(certificate: &Certificate, targets: &[CertificateTarget]) -> BTreeSet<AgentId> {
    if targets.is_empty() {
        return certificate.agent_id.iter().cloned().collect();
    }
    targets.iter().map(|target| target.agent_id.clone()).collect()
}

/// Why jobs are opened.
#[derive(Clone, Copy)]
pub(crate) struct Opening<'a> {
    pub(crate) certificate: &'a Certificate,
    pub(crate) holders: &'a BTreeSet<AgentId>,
    pub(crate) kind: JobType,
    pub(crate) policy: &'a RenewalPolicy,
    pub(crate) requested_by: &'a str,
    /// Whether somebody has to approve first.
    pub(crate) needs_approval: bool,
}

/// Records the jobs; the unique slot of each refuses a second one for the same certificate and holder.
pub(crate) fn open_issue_jobs(engine: &Engine, unit: &mut UnitOfWork, opening: &Opening<'_>) -> Vec<JobId> {
    let mut ids = Vec::new();
    if opening.holders.is_empty() {
        // Offered to no agent: whoever has the key sends the request.
        ids.push(insert(engine, unit, opening, None));
    }
    for holder in opening.holders {
        ids.push(insert(engine, unit, opening, Some(holder.clone())));
        if !opening.needs_approval {
            unit.signal(Hint { topic: Engine::AGENT_WORK, key: holder.to_string() });
        }
    }
    ids
}

fn insert(engine: &Engine, unit: &mut UnitOfWork, opening: &Opening<'_>, agent: Option<AgentId>) -> JobId {
    let now = unit.now();
    let mut job = new_job(engine, opening, now);
    let holder = agent.as_ref().map(ToString::to_string).unwrap_or_default();
    job.open_slot = Some(Job::issue_slot(&opening.certificate.id, &holder));
    (job.agent_id, job.key_holder) = (agent, holder);
    let id = job.id.clone();
    unit.insert(job);
    id
}

/// An issuing job that waits for an approval or a request, without a holder.
pub(crate) fn new_job(engine: &Engine, opening: &Opening<'_>, now: Timestamp) -> Job {
    let (state, waits) = if opening.needs_approval {
        (JobState::AwaitingApproval, engine.cadence().awaiting_approval)
    } else {
        (JobState::AwaitingCsr, engine.cadence().awaiting_csr)
    };
    Job {
        id: JobId::generate(&*engine.ports().clock, &*engine.ports().rng),
        kind: opening.kind,
        certificate_id: opening.certificate.id.clone(),
        target_id: None,
        agent_id: None,
        key_holder: String::new(),
        version_id: None,
        state,
        partition: Job::issuer_partition(opening.certificate.issuer_id.as_str()),
        due_at: now + waits,
        attempt: 0,
        holder: None,
        open_slot: None,
        step: None,
        attempts: 0,
        max_attempts: opening.policy.max_retries.max(1),
        retry_interval_seconds: opening.policy.retry_interval_seconds.max(1),
        exhausted: false,
        last_error: None,
        requested_by: opening.requested_by.into(),
        scheduled_at: now,
        started_at: None,
        completed_at: None,
        created_at: now,
        verification_status: None,
        verified_at: None,
        verification_error: None,
        expected_fingerprint: None,
        verification_fingerprint: None,
        rollout: None,
    }
}
