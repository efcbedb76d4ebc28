//! An operator deploys a certificate: what was halted goes on, what is under way is left to itself, and else a rollout begins.

use super::begin::{NEWER, begun, go, take_over};
use super::draft::Draft;
use super::members::{Members, Open};
use super::{Scene, proceed};
use crate::decide::waves::TargetState;
use crate::domain::{
    Certificate, CertificateTarget, Job, JobId, JobState, Principal, RenewalPolicy, Rollout, RolloutState,
    VerificationStatus, Version,
};
use crate::engine::Engine;
use crate::error::Error;
use crate::jobs::deploy::{NewDeployment, cancel, job};
use crate::storage::UnitOfWork;

/// What an operator wants deployed.
pub(crate) struct Redeploy<'a> {
    pub(crate) certificate: &'a Certificate,
    pub(crate) policy: &'a RenewalPolicy,
    pub(crate) principal: &'a Principal,
    /// The targets, each with the newest version that it may have.
    pub(crate) wanted: &'a [(CertificateTarget, Version)],
}

/// What came of it.
pub(crate) struct Redeployed {
    /// The jobs that are open for these targets.
    pub(crate) job_ids: Vec<JobId>,
    /// Whether it is the first rollout of the certificate: then the caller writes the certificate, so that two that are begun at once
    /// do not both succeed.
    pub(crate) first: bool,
    /// Whether a rollout goes on that was halted.
    pub(crate) goes_on: bool,
}

/// Records the deployments that are missing, and lets those go whose turn it is.
pub(crate) async fn redeploy(
    engine: &Engine,
    unit: &mut UnitOfWork,
    redeploy: &Redeploy<'_>,
) -> Result<Redeployed, Error> {
    let Redeploy { certificate, policy, principal, wanted } = *redeploy;
    let found = unit.get::<Rollout>(certificate.id.as_str()).await?;
    let (first, goes_on) = (found.is_none(), found.as_ref().is_some_and(|row| row.state == RolloutState::Halted));
    let mut open = Open::read(unit, certificate, &[]).await?;
    let round = found.as_ref().filter(|row| matches!(row.state, RolloutState::Rolling | RolloutState::Halted));
    let members = match round {
        Some(row) => Some(Members::read(unit, row, &[]).await?),
        None => None,
    };
    let is_done = |members: &Members, (target, version): &(CertificateTarget, Version)| {
        let member = members.of(&target.target_id);
        member.is_some_and(|member| {
            member.state() == TargetState::Done && member.job().version_id.as_ref() == Some(&version.id)
        })
    };
    // Where all have it already, deploying once more means all of them.
    let members = members.filter(|members| !wanted.iter().all(|wanted| is_done(members, wanted)));
    let (mut row, mut members, same_round) = match (found, members) {
        (Some(row), Some(members)) => (Draft::Kept(row), members, true),
        (found, _) => {
            let (row, members) = begun(unit, certificate, found);
            (row, members, false)
        }
    };
    members.forgive(unit, &wanted.iter().map(|(target, _)| &target.target_id).collect());
    let mut elsewhere = Vec::new();
    for wanted in wanted {
        let (target, version) = wanted;
        if same_round && is_done(&members, wanted) {
            continue;
        }
        match open.of(&target.target_id).map(|job| kept(job, version, &row)) {
            // It waits for its turn, or is under way.
            Some(Kept::AsItIs(id)) => {
                elsewhere.extend(id);
                continue;
            }
            Some(Kept::No) => {
                if let Some(mut older) = open.take(&target.target_id) {
                    cancel(&mut older, unit.now(), NEWER)?;
                    unit.update(older);
                }
            }
            None => {}
        }
        let new = NewDeployment { certificate, target, version, policy, requested_by: &principal.id };
        members.add(job(engine, unit.now(), &new));
    }
    if !same_round {
        take_over(unit, &row, (&mut members, &mut open))?;
    }
    go(&mut row)?;
    let mut job_ids = members.open_jobs();
    job_ids.extend(elsewhere);
    let _ = proceed(unit, Scene { engine, principal, certificate, policy }, row, (members, &open)).await?;
    Ok(Redeployed { job_ids, first, goes_on })
}

/// What becomes of a job that is open for a target that gets one.
enum Kept {
    /// It stays; its id where it is none of the round's.
    AsItIs(Option<JobId>),
    No,
}

fn kept(job: &Job, version: &Version, row: &Rollout) -> Kept {
    let same = job.version_id.as_ref() == Some(&version.id);
    let unserved = job.state == JobState::Running && job.verification_status == Some(VerificationStatus::Failed);
    match job.rollout {
        _ if !same || unserved => Kept::No,
        Some(round) if round == row.round => Kept::AsItIs(None),
        // Of an earlier round: with a turn in this one.
        Some(_) if job.is_held() => Kept::No,
        _ => Kept::AsItIs(Some(job.id.clone())),
    }
}
