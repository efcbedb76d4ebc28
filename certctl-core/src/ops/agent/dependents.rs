//! What depends on an agent: its targets, the certificates on them, and the jobs that are open.

use std::collections::BTreeSet;

use crate::decide::status;
use crate::domain::{AgentId, Certificate, CertificateId, CertificateStatus, CertificateTarget, Job, TargetRecord};
use crate::entity::Record;
use crate::error::Error;
use crate::storage::{Query, UnitOfWork};

/// How much depends on an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DependencyCounts {
    /// Targets that are not retired.
    pub active_targets: u64,
    /// Certificates that are pending, active, expiring or being renewed, on one of these targets or held by the agent.
    pub active_certificates: u64,
    /// Open jobs of the agent or for one of these targets.
    pub pending_jobs: u64,
}

impl DependencyCounts {
    /// Whether nothing depends on the agent.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Counts them, one after the other (requirements C3, step 4).
    pub(super) async fn of(unit: &UnitOfWork, agent: &AgentId) -> Result<Self, Error> {
        let targets = targets(unit, agent).await?;
        let active_targets = count(&targets);
        let active_certificates = active_certificates(unit, agent, &targets).await?;
        let pending_jobs = count(&open_jobs(unit, agent, &targets).await?);
        Ok(Self { active_targets, active_certificates, pending_jobs })
    }
}

/// Rows of one question.
const CHUNK: usize = 500;

/// What counts as an active certificate.
const ACTIVE: [CertificateStatus; 4] = [
    CertificateStatus::Pending,
    CertificateStatus::Active,
    CertificateStatus::Expiring,
    CertificateStatus::RenewalInProgress,
];

/// The agent's targets that are not retired.
pub(super) async fn targets(unit: &UnitOfWork, agent: &AgentId) -> Result<Vec<Record<TargetRecord>>, Error> {
    let fields = TargetRecord::FIELDS;
    let live = Query::all().filter(fields.agent_id.equals(agent.clone())).filter(fields.retired_at.is_null());
    Ok(unit.all(live).await?)
}

/// The open jobs of the agent, and those for these targets.
pub(super) async fn open_jobs(
    unit: &UnitOfWork,
    agent: &AgentId,
    targets: &[Record<TargetRecord>],
) -> Result<Vec<Record<Job>>, Error> {
    let fields = Job::FIELDS;
    let open = || Query::<Job>::all().filter(fields.open_slot.is_set());
    let mut jobs = unit.all(open().filter(fields.agent_id.equals(Some(agent.clone())))).await?;
    for some in targets.chunks(CHUNK) {
        let ids = some.iter().map(|target| Some(target.id.clone()));
        let others = open().filter(fields.target_id.one_of(ids)).filter(fields.agent_id.differs(Some(agent.clone())));
        jobs.extend(unit.all(others).await?);
    }
    Ok(jobs)
}

async fn active_certificates(
    unit: &UnitOfWork,
    agent: &AgentId,
    targets: &[Record<TargetRecord>],
) -> Result<u64, Error> {
    let held = Certificate::FIELDS.agent_id.equals(Some(agent.clone()));
    let held = unit.all(Query::<Certificate>::all().filter(held)).await?;
    let mut certificates: BTreeSet<CertificateId> = held.into_iter().map(|held| held.into_entity().id).collect();
    for some in targets.chunks(CHUNK) {
        let ids = some.iter().map(|target| target.id.clone());
        let on = Query::all().filter(CertificateTarget::FIELDS.target_id.one_of(ids));
        certificates.extend(unit.all(on).await?.into_iter().map(|mapping| mapping.into_entity().certificate_id));
    }
    let certificates: Vec<CertificateId> = certificates.into_iter().collect();
    let mut active = 0;
    for some in certificates.chunks(CHUNK) {
        for status in ACTIVE {
            let of = Query::<Certificate>::all().filter(Certificate::FIELDS.id.one_of(some.iter().cloned()));
            active += unit.total(&status::filter(status, unit.now()).into_iter().fold(of, Query::filter)).await?;
        }
    }
    Ok(active)
}

fn count<T>(records: &[T]) -> u64 {
    u64::try_from(records.len()).unwrap_or(u64::MAX)
}
