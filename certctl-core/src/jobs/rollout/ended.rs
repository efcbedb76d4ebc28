//! A deployment of a rollout has ended: the next ones begin, or none.

use super::draft::Draft;
use super::halt::{Cause, halt};
use super::members::{Members, Open};
use super::{Scene, Told, back, proceed};
use crate::domain::{
    Certificate, Job, JobState, NotificationType, Principal, RenewalPolicy, Rollout, RolloutState, TargetId,
};
use crate::engine::Engine;
use crate::error::Error;
use crate::outbox::{self, About};
use crate::storage::UnitOfWork;

/// Deployments of one certificate that have ended, or were seen not to be served, as they are about to be stored.
pub(crate) struct Ended<'a> {
    pub(crate) certificate: &'a Certificate,
    pub(crate) principal: &'a Principal,
    pub(crate) jobs: &'a [&'a Job],
    /// Whether somebody called off what had begun, which says of the new version what a failure says.
    pub(crate) called_off: bool,
}

/// Decides how the rollout that they belong to goes on. Asks the store for nothing where they belong to none.
///
/// # Errors
/// The store's.
pub(crate) async fn ended(engine: &Engine, unit: &mut UnitOfWork, ended: &Ended<'_>) -> Result<Told, Error> {
    let Ended { certificate, principal, jobs, called_off } = *ended;
    if jobs.iter().all(|job| job.rollout.is_none()) {
        return Ok(Told::No);
    }
    let Some(row) = unit.get::<Rollout>(certificate.id.as_str()).await? else { return Ok(Told::No) };
    let row = Draft::Kept(row);
    match row.state {
        RolloutState::Finished | RolloutState::Halted => return Ok(Told::No),
        RolloutState::Rolling | RolloutState::RollingBack | RolloutState::RolledBack => {}
    }
    let policy = unit.peek::<RenewalPolicy>(certificate.renewal_policy_id.as_str()).await?;
    let policy = policy.ok_or_else(|| Error::not_found("renewal policy", &certificate.renewal_policy_id))?;
    let scene = Scene { engine, principal, certificate, policy: &policy };
    let open = Open::read(unit, certificate, jobs).await?;
    let members = Members::read(unit, &row, jobs).await?;
    if row.state == RolloutState::Rolling {
        let stopped = jobs.iter().find(|job| called_off && job.rollout == Some(row.round));
        return match stopped {
            Some(job) => halt(unit, scene, row, (members, &open), Cause::called_off(job)).await,
            None => proceed(unit, scene, row, (members, &open)).await,
        };
    }
    on_the_way_back(unit, scene, row, (members, &open, jobs)).await
}

/// What was under way when the rollout was halted and has got the new version since gets the one before it back, too.
async fn on_the_way_back(
    unit: &mut UnitOfWork,
    scene: Scene<'_>,
    mut row: Draft<Rollout>,
    (mut members, open, jobs): (Members, &Open, &[&Job]),
) -> Result<Told, Error> {
    let late = jobs.iter().copied().filter(|job| {
        let of_the_halted = job.rollout.is_some_and(|round| round + 1 == row.round);
        let known = job.target_id.as_ref().is_some_and(|target| members.of(target).is_some());
        job.state == JobState::Completed && of_the_halted && !known
    });
    let way = back::plan(unit, scene, late).await?;
    if !way.jobs.is_empty() {
        row.state = row.state.transition(RolloutState::RollingBack).map_err(Error::internal)?;
    }
    for job in way.jobs {
        members.add(job);
    }
    for (target, why) in &way.stays {
        stays(unit, scene, row.round, (target, why)).await?;
    }
    proceed(unit, scene, row, (members, open)).await
}

/// Tells that a target keeps a version that was to be taken back.
async fn stays(
    unit: &mut UnitOfWork,
    scene: Scene<'_>,
    round: i64,
    (target, why): (&TargetId, &str),
) -> Result<(), Error> {
    let certificate = scene.certificate;
    let key = format!("rollout:{}:{round}:{target}", certificate.id);
    let about = About::new(certificate, NotificationType::DeploymentFailure, &key);
    let subject = format!("{} is not taken back on target {target}", certificate.name);
    let message =
        format!("The rollout of {} was halted, and target {target} keeps the new version: {why}.", certificate.name);
    outbox::notify(scene.engine, unit, &about, &subject, &message).await?;
    Ok(())
}
