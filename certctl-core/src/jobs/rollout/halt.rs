//! Halting a rollout: what waits is not touched, people are told once, and what has the new version goes back where the policy
//! says so.

use serde_json::json;

use super::back::{self, Way};
use super::draft::Draft;
use super::members::{Member, Members, Open};
use super::{Scene, Told};
use crate::decide::waves::{Aim, WaveInput, WaveStep, decide};
use crate::domain::{
    AuditAction, Job, JobState, NotificationType, OnFailure, Rollout, RolloutState, TargetId, VerificationStatus,
};
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::outbox::{self, About};
use crate::storage::UnitOfWork;

/// Why a rollout is halted.
pub(super) struct Cause {
    why: String,
    /// Whether the new version did not go well; a person who calls a deployment off says nothing of it.
    failure: bool,
}

/// Targets that a message names.
const NAMED: usize = 10;
/// Longest reason that is kept, in characters.
const LONGEST: usize = 2_000;

impl Cause {
    /// That the deployment to the target at this place failed.
    pub(super) fn failed(members: &Members, place: usize) -> Self {
        let why = members.get(place).map_or_else(String::new, |member| failure(member.job()));
        Self { why: why.chars().take(LONGEST).collect(), failure: true }
    }

    /// That somebody called a deployment off that had begun.
    pub(super) fn called_off(job: &Job) -> Self {
        Self { why: format!("the deployment to target {} was called off", target(job)), failure: false }
    }
}

fn failure(job: &Job) -> String {
    if job.verification_status == Some(VerificationStatus::Failed) && job.state != JobState::Failed {
        let why = job.verification_error.as_deref().unwrap_or("something else is served");
        return format!("target {} does not serve what was deployed to it: {why}", target(job));
    }
    let why = job.last_error.as_deref().unwrap_or("no reason is known");
    format!("the deployment to target {} failed: {why}", target(job))
}

fn target(job: &Job) -> &str {
    job.target_id.as_ref().map_or("", TargetId::as_str)
}

/// Stops the rollout, records why, and begins the way back where the policy wants it.
pub(super) async fn halt(
    unit: &mut UnitOfWork,
    scene: Scene<'_>,
    mut row: Draft<Rollout>,
    (mut members, open): (Members, &Open),
    cause: Cause,
) -> Result<Told, Error> {
    let now = unit.now();
    let untouched = members.stop(now, &format!("the rollout was halted: {}", cause.why))?;
    let has_it: Vec<TargetId> =
        members.iter().filter(|member| member.has_version()).filter_map(Member::target).cloned().collect();
    let under_way: Vec<TargetId> =
        members.iter().filter(|member| member.is_taken_up()).filter_map(Member::target).cloned().collect();
    let goes_back = cause.failure && scene.waves().is_some_and(|waves| waves.on_failure == OnFailure::Rollback);
    let mut way = Way::default();
    if goes_back {
        way = back::plan(unit, scene, members.iter().filter(|member| member.has_version()).map(Member::job)).await?;
    }
    let state = if way.jobs.is_empty() && (under_way.is_empty() || !goes_back) {
        RolloutState::Halted
    } else {
        RolloutState::RollingBack
    };
    row.state = row.state.transition(state).map_err(Error::internal)?;
    (row.reason, row.changed_at) = (Some(cause.why.clone()), now);
    let halted = Halted { row: &row, cause: &cause, untouched, has_it, under_way, stays: &way.stays };
    halted.record(unit, scene).await?;
    members.store(unit);
    if row.state == RolloutState::RollingBack {
        row.round += 1;
        go_back(unit, scene, &row, way, open);
    }
    row.store(unit);
    Ok(Told::Yes)
}

/// Records the deployments of the way back, and lets as many begin as may be under way at once.
fn go_back(unit: &mut UnitOfWork, scene: Scene<'_>, row: &Rollout, way: Way, open: &Open) {
    let mut members = Members::of_a_new(row);
    for job in way.jobs {
        members.add(job);
    }
    let (waves, elsewhere) = (scene.waves(), open.elsewhere(&members));
    let input = WaveInput { waves, targets: &members.states(), elsewhere, aim: Aim::VersionBefore };
    if let WaveStep::Start { targets, .. } = decide(&input).step {
        let now = unit.now();
        let _ = members.release(unit, &targets, now);
    }
    members.store(unit);
}

/// What is said of a rollout that was halted.
struct Halted<'a> {
    row: &'a Rollout,
    cause: &'a Cause,
    untouched: Vec<TargetId>,
    has_it: Vec<TargetId>,
    under_way: Vec<TargetId>,
    stays: &'a [(TargetId, String)],
}

impl Halted<'_> {
    async fn record(&self, unit: &mut UnitOfWork, scene: Scene<'_>) -> Result<(), Error> {
        let Scene { engine, principal, certificate, .. } = scene;
        let stays: Vec<_> = self.stays.iter().map(|(id, why)| json!({ "target_id": id, "why": why })).collect();
        let details = json!({
            "round": self.row.round, "reason": self.cause.why, "state": self.row.state, "untouched": self.untouched,
            "deployed": self.has_it, "under_way": self.under_way, "keep_the_new_version": stays,
        });
        let about = ("certificate", certificate.id.as_str());
        let now = unit.now();
        unit.append(audit_event(engine, principal, now, AuditAction::DeploymentHalted, about, details));
        let key = format!("rollout:{}:{}:{now}", certificate.id, self.row.round);
        let about = About::new(certificate, NotificationType::DeploymentFailure, &key);
        let subject = format!("The rollout of {} was halted", certificate.name);
        let message = format!("{subject}: {}.{}", self.cause.why, self.told(certificate.id.as_str()));
        outbox::notify(engine, unit, &about, &subject, &message).await?;
        Ok(())
    }

    fn told(&self, certificate: &str) -> String {
        let mut text = String::new();
        let mut say = |what: &str, targets: &[TargetId]| {
            if !targets.is_empty() {
                text.push_str(&format!(" {what}: {}.", named(targets)));
            }
        };
        say("Not touched, with the version before it in service", &self.untouched);
        say("Still under way", &self.under_way);
        if self.row.state == RolloutState::RollingBack {
            say("Given the version before it back", &self.given_back());
        } else {
            say("With the new version", &self.has_it);
        }
        for (id, why) in self.stays.iter().take(NAMED) {
            text.push_str(&format!(" Target {id} keeps the new version: {why}."));
        }
        text.push_str(&format!(
            " Once the cause is mended, go on with `certctl certs deploy {certificate}` (POST \
             /api/v1/certificates/{certificate}/deploy); a newer version begins a rollout of its own."
        ));
        text
    }

    fn given_back(&self) -> Vec<TargetId> {
        let stays = |target: &TargetId| self.stays.iter().any(|(id, _)| id == target);
        self.has_it.iter().filter(|target| !stays(target)).cloned().collect()
    }
}

fn named(targets: &[TargetId]) -> String {
    let names: Vec<&str> = targets.iter().take(NAMED).map(TargetId::as_str).collect();
    let more = targets.len().saturating_sub(NAMED);
    if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
}
