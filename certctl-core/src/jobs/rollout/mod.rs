//! Rollouts: the deployments of a certificate whose renewal policy has waves (`decide::waves`), and the way back.
//!
//! All jobs of a rollout are recorded as soon as there is a version, so that whoever retires an agent, moves a target or archives
//! the certificate finds them; those whose turn has not come are due never. The commit that ends one of them lets the next ones
//! go. It writes the rollout's row, so of two that end at once the later one decides again.

mod at_once;
mod back;
mod begin;
mod draft;
mod ended;
mod halt;
mod members;
mod redeploy;

pub(crate) use at_once::all_at_once;
pub(crate) use begin::{Arrival, arrive};
pub(crate) use ended::{Ended, ended};
pub(crate) use redeploy::{Redeploy, redeploy};

use serde_json::json;

use self::draft::Draft;
use self::halt::Cause;
use self::members::{Members, Open};
use crate::decide::waves::{Aim, WaveInput, WaveStep, decide};
use crate::domain::{AuditAction, Certificate, DeploymentWaves, Principal, RenewalPolicy, Rollout, RolloutState};
use crate::engine::Engine;
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::storage::UnitOfWork;

/// What every step of a rollout knows.
#[derive(Clone, Copy)]
struct Scene<'a> {
    engine: &'a Engine,
    /// Whose call moves it on.
    principal: &'a Principal,
    certificate: &'a Certificate,
    policy: &'a RenewalPolicy,
}

impl<'a> Scene<'a> {
    fn waves(&self) -> Option<&'a DeploymentWaves> {
        self.policy.deployment_waves.as_deref()
    }
}

/// Whether people were told that the rollout was halted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what was told need not be told again"]
pub(crate) enum Told {
    Yes,
    No,
}

/// Takes the next step of a rollout that goes on, and records all of it.
async fn proceed(
    unit: &mut UnitOfWork,
    scene: Scene<'_>,
    mut row: Draft<Rollout>,
    (mut members, open): (Members, &Open),
) -> Result<Told, Error> {
    let aim = if row.state == RolloutState::Rolling { Aim::NewVersion } else { Aim::VersionBefore };
    let targets = members.states();
    let input = WaveInput { waves: scene.waves(), targets: &targets, elsewhere: open.elsewhere(&members), aim };
    let verdict = decide(&input);
    row.changed_at = unit.now();
    match verdict.step {
        WaveStep::Halt { target } => {
            let cause = Cause::failed(&members, target);
            return halt::halt(unit, scene, row, (members, open), cause).await;
        }
        WaveStep::Start { targets, wave, after } => {
            let at = unit.now() + after;
            let begun = members.release(unit, &targets, at);
            let details = json!({
                "round": row.round, "wave": wave, "target_ids": begun.targets, "job_ids": begun.jobs, "not_before": at,
                "reason": verdict.reason, "aim": if aim == Aim::NewVersion { "new_version" } else { "version_before" },
            });
            let about = ("certificate", scene.certificate.id.as_str());
            let action = AuditAction::DeploymentWaveOpened;
            unit.append(audit_event(scene.engine, scene.principal, unit.now(), action, about, details));
        }
        WaveStep::Done => {
            let end = if aim == Aim::NewVersion { RolloutState::Finished } else { RolloutState::RolledBack };
            if row.state != end {
                row.state = row.state.transition(end).map_err(Error::internal)?;
            }
        }
        WaveStep::Wait => {}
    }
    members.store(unit);
    row.store(unit);
    Ok(Told::No)
}
