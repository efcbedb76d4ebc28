//! Asking for a deployment.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{
    AuditAction, Certificate, CertificateId, CertificateTarget, Job, JobId, Lifecycle, RenewalPolicy, TargetId,
    TargetRecord, Version,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::deploy::{NewDeployment, insert, newest_deployable, open_one, supersede};
use crate::jobs::live::live;
use crate::jobs::open::targets_of;
use crate::jobs::rollout::{self, Ended, Redeploy};
use crate::ops::{Access, Context, Operation};
use crate::storage::Hint;

/// Deploys the newest version again, to one target or all; one whose shape is held only after it was accepted.
///
/// Where the renewal policy has waves, all means a rollout: one that was halted goes on with what it did not come to, one that is under
/// way is left to itself, and else a new one begins. One target is deployed to now, whatever its turn.
#[derive(Clone, Debug)]
pub struct Deploy {
    /// Which certificate.
    pub id: CertificateId,
    /// Only to this target.
    pub target_id: Option<TargetId>,
}

/// The jobs of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deploying {
    /// One for each target.
    pub job_ids: Vec<JobId>,
}

#[async_trait]
impl Operation for Deploy {
    type Output = Deploying;
    const NAME: &'static str = "certificate.deploy";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Deploying, Error> {
        let found = cx.unit.get::<Certificate>(self.id.as_str()).await?;
        let mut certificate = found.ok_or_else(|| Error::not_found("certificate", &self.id))?;
        if matches!(certificate.lifecycle, Lifecycle::Archived | Lifecycle::Revoked) {
            let message = format!("the certificate is {}; it is not deployed any more", certificate.lifecycle);
            return Err(Error::conflict("not_deployable", message));
        }
        let mut targets = targets_of(&cx.unit, &certificate).await?;
        if let Some(wanted) = &self.target_id {
            targets.retain(|target| target.target_id == *wanted);
            if targets.is_empty() {
                return Err(Error::not_found("target of this certificate", wanted));
            }
        }
        if targets.is_empty() {
            return Err(Error::conflict("no_targets", "the certificate has no targets; add some to its target_ids"));
        }
        let agents = targets.iter().map(|target| target.agent_id.clone()).collect();
        let agents = live(cx.engine, &mut cx.unit, &agents).await?;
        targets.retain(|target| agents.contains(&target.agent_id));
        if targets.is_empty() {
            let message = "the agents of these targets are retired; give the certificate targets of other agents";
            return Err(Error::conflict("no_targets", message));
        }
        let policy = cx.unit.peek::<RenewalPolicy>(certificate.renewal_policy_id.as_str()).await?;
        let policy = policy.ok_or_else(|| Error::not_found("renewal policy", &certificate.renewal_policy_id))?;
        let mut wanted = Vec::new();
        for target in targets {
            let enabled = cx.unit.peek::<TargetRecord>(target.target_id.as_str()).await?.is_some_and(|t| t.enabled);
            let Some(version) = self.newest(cx, target.agent_id.as_str()).await? else { continue };
            if enabled {
                wanted.push((target, version));
            }
        }
        if wanted.is_empty() {
            let message = "nothing is issued yet for the agents of these targets, or the targets are disabled; wait for the \
                           first issuance or renew";
            return Err(Error::conflict("not_issued", message));
        }
        let about = ("certificate", self.id.as_str());
        if policy.deployment_waves.is_none() || self.target_id.is_some() {
            let job_ids = at_once(cx, &certificate, &policy, &wanted).await?;
            cx.audit(AuditAction::DeploymentTriggered, about, json!({ "job_ids": job_ids }));
            return Ok(Deploying { job_ids });
        }
        let (principal, wanted) = (cx.principal, &wanted[..]);
        let redeploy = Redeploy { certificate: &certificate, policy: &policy, principal, wanted };
        let done = rollout::redeploy(cx.engine, &mut cx.unit, &redeploy).await?;
        if done.first {
            certificate.updated_at = cx.now();
            cx.unit.update(certificate);
        }
        let details = json!({ "job_ids": done.job_ids, "halted_rollout_goes_on": done.goes_on });
        cx.audit(AuditAction::DeploymentTriggered, about, details);
        Ok(Deploying { job_ids: done.job_ids })
    }
}

impl Deploy {
    async fn newest(&self, cx: &Context<'_>, holder: &str) -> Result<Option<Version>, Error> {
        let newest = newest_deployable(&self.id, holder);
        Ok(cx.unit.first(newest).await?.map(Record::into_entity))
    }
}

/// Deploys to these now.
async fn at_once(
    cx: &mut Context<'_>,
    certificate: &Certificate,
    policy: &RenewalPolicy,
    wanted: &[(CertificateTarget, Version)],
) -> Result<Vec<JobId>, Error> {
    let (mut job_ids, mut moved) = (Vec::new(), Vec::new());
    for (target, version) in wanted {
        let open = open_one(&cx.unit, &certificate.id, &target.target_id).await?;
        if let Some(open) = open.filter(|job| job.version_id.as_ref() == Some(&version.id)) {
            job_ids.push(open.id.clone());
            moved.extend(out_of_turn(cx, open));
            continue;
        }
        moved.extend(supersede(&mut cx.unit, &certificate.id, &target.target_id).await?);
        let new = NewDeployment { certificate, target, version, policy, requested_by: &cx.principal.id };
        job_ids.push(insert(cx.engine, &mut cx.unit, &new));
    }
    let jobs: Vec<&Job> = moved.iter().collect();
    let ended = Ended { certificate, principal: cx.principal, jobs: &jobs, called_off: false };
    let _ = rollout::ended(cx.engine, &mut cx.unit, &ended).await?;
    Ok(job_ids)
}

/// What waits for its turn in a rollout waits no longer.
fn out_of_turn(cx: &mut Context<'_>, mut open: Record<Job>) -> Option<Job> {
    if !open.is_held() {
        return None;
    }
    (open.due_at, open.scheduled_at) = (cx.now(), cx.now());
    cx.unit.signal(Hint { topic: Engine::AGENT_WORK, key: open.key_holder.clone() });
    let moved = Job::clone(&open);
    cx.unit.update(open);
    Some(moved)
}
