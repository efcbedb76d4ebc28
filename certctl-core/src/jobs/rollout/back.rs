//! The way back: which targets can have the version before the new one again.

use std::collections::{BTreeMap, BTreeSet};

use super::Scene;
use crate::domain::{CertificateTarget, Job, JobState, JobType, TargetId, VerificationStatus, Version, VersionId};
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::deploy::{NewDeployment, job};
use crate::jobs::open::targets_of;
use crate::storage::{Place, Query, Reads, UnitOfWork};

/// Questions of one trip.
const TOGETHER: usize = 50;

/// What is done to go back.
#[derive(Default)]
pub(super) struct Way {
    /// Deployments of the versions before, not recorded yet.
    pub(super) jobs: Vec<Job>,
    /// Which targets keep the new version, and why.
    pub(super) stays: Vec<(TargetId, String)>,
}

/// Plans the way back of targets that got the new version by these jobs: what was last in service there is deployed again.
pub(super) async fn plan<'a>(
    unit: &UnitOfWork,
    scene: Scene<'_>,
    done: impl Iterator<Item = &'a Job>,
) -> Result<Way, Error> {
    let done: Vec<&Job> = done.collect();
    let mut way = Way::default();
    if done.is_empty() {
        return Ok(way);
    }
    let mapped = targets_of(unit, scene.certificate).await?;
    let mapped: BTreeMap<&TargetId, &CertificateTarget> =
        mapped.iter().map(|mapping| (&mapping.target_id, mapping)).collect();
    let before = in_service_before(unit, &done).await?;
    let versions = versions(unit, before.values().collect()).await?;
    for new in done {
        let Some(target_id) = &new.target_id else { continue };
        let version = before.get(target_id).and_then(|id| versions.get(id));
        match choose(unit, mapped.get(target_id).copied(), version) {
            Ok((target, version)) => {
                let (certificate, policy, requested_by) =
                    (scene.certificate, scene.policy, scene.principal.id.as_str());
                let new = NewDeployment { certificate, target, version, policy, requested_by };
                way.jobs.push(job(scene.engine, unit.now(), &new));
            }
            Err(why) => way.stays.push((target_id.clone(), why)),
        }
    }
    Ok(way)
}

/// Whether a target can have a version again. That its key is still on the host is for the agent to say: without it the
/// deployment fails, and people are told.
fn choose<'a>(
    unit: &UnitOfWork,
    target: Option<&'a CertificateTarget>,
    version: Option<&'a Record<Version>>,
) -> Result<(&'a CertificateTarget, &'a Version), String> {
    let Some(target) = target else { return Err("it is no target of the certificate any more".into()) };
    let Some(version) = version else { return Err("no version before it was in service there".into()) };
    if version.key_holder != target.agent_id.as_str() {
        return Err(format!("the key of the version before it is on another agent, {}", version.key_holder));
    }
    if version.not_after <= unit.now() {
        return Err(format!("the version before it ended at {}", version.not_after));
    }
    Ok((target, version))
}

/// What each target served before the version of its job.
async fn in_service_before(unit: &UnitOfWork, done: &[&Job]) -> Result<BTreeMap<TargetId, VersionId>, Error> {
    let fields = Job::FIELDS;
    let mut before = BTreeMap::new();
    for some in done.chunks(TOGETHER) {
        let mut reads = Reads::default();
        let mut places: Vec<(TargetId, Place<Job>)> = Vec::new();
        for new in some {
            let Some(target) = new.target_id.clone() else { continue };
            let last = Query::<Job>::sorted(fields.created_at.descending())
                .filter(fields.certificate_id.equals(new.certificate_id.clone()))
                .filter(fields.kind.equals(JobType::Deployment))
                .filter(fields.target_id.equals(Some(target.clone())))
                .filter(fields.state.equals(JobState::Completed))
                .filter(fields.version_id.differs(new.version_id.clone()))
                .filter(fields.verification_status.differs(Some(VerificationStatus::Failed)));
            places.push((target, reads.list(last.limit(1))?));
        }
        let mut found = unit.read(reads).await?;
        for (target, place) in places {
            let last: Option<Record<Job>> = found.one(&place)?;
            before.extend(last.and_then(|job| job.version_id.clone()).map(|version| (target, version)));
        }
    }
    Ok(before)
}

async fn versions(unit: &UnitOfWork, ids: BTreeSet<&VersionId>) -> Result<BTreeMap<VersionId, Record<Version>>, Error> {
    let ids: Vec<&VersionId> = ids.into_iter().collect();
    let mut versions = BTreeMap::new();
    for some in ids.chunks(TOGETHER) {
        let mut reads = Reads::default();
        let places: Vec<Place<Version>> = some.iter().map(|id| reads.get(id.as_str())).collect();
        let mut found = unit.read(reads).await?;
        for place in &places {
            versions.extend(found.one(place)?.map(|version: Record<Version>| (version.id.clone(), version)));
        }
    }
    Ok(versions)
}
