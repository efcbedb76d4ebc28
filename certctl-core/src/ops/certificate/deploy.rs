//! Asking for a deployment.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{
    AuditAction, Certificate, CertificateId, JobId, Lifecycle, RenewalPolicy, TargetId, TargetRecord, Version,
};
use crate::error::Error;
use crate::jobs::deploy::{NewDeployment, insert, newest_deployable, open_one, supersede};
use crate::jobs::live::live;
use crate::jobs::open::targets_of;
use crate::ops::{Access, Context, Operation};

/// Deploys the newest version again, to one target or all; one whose shape is held only after it was accepted.
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
        let certificate = found.ok_or_else(|| Error::not_found("certificate", &self.id))?;
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
        let mut job_ids = Vec::new();
        for target in &targets {
            let enabled = cx.unit.peek::<TargetRecord>(target.target_id.as_str()).await?.is_some_and(|t| t.enabled);
            let Some(version) = self.newest(cx, target.agent_id.as_str()).await? else { continue };
            if !enabled {
                continue;
            }
            let open = open_one(&cx.unit, &certificate.id, &target.target_id).await?;
            if let Some(open) = open.filter(|job| job.version_id.as_ref() == Some(&version.id)) {
                job_ids.push(open.into_entity().id);
                continue;
            }
            supersede(&mut cx.unit, &certificate.id, &target.target_id).await?;
            let (requested_by, certificate) = (cx.principal.id.as_str(), &certificate);
            let new = NewDeployment { certificate, target, version: &version, policy: &policy, requested_by };
            job_ids.push(insert(cx.engine, &mut cx.unit, &new));
        }
        if job_ids.is_empty() {
            let message = "nothing is issued yet for the agents of these targets, or the targets are disabled; wait for the \
                           first issuance or renew";
            return Err(Error::conflict("not_issued", message));
        }
        cx.audit(AuditAction::DeploymentTriggered, ("certificate", self.id.as_str()), json!({ "job_ids": job_ids }));
        Ok(Deploying { job_ids })
    }
}

impl Deploy {
    async fn newest(&self, cx: &Context<'_>, holder: &str) -> Result<Option<Version>, Error> {
        let newest = newest_deployable(&self.id, holder);
        Ok(cx.unit.first(newest).await?.map(crate::entity::Record::into_entity))
    }
}
