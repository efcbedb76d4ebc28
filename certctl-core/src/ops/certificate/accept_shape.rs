//! Accepting that a version differs from the one before it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::json;

use super::Deploying;
use crate::domain::{
    AuditAction, Certificate, CertificateId, Lifecycle, RenewalPolicy, ShapeState, TargetRecord, Version,
};
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::live::live;
use crate::jobs::open::{MAX_TARGETS, targets_of};
use crate::jobs::rollout::{self, Arrival};
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// Deploys versions that are held because they differ from those before them.
#[derive(Clone, Debug)]
pub struct AcceptShape {
    /// Which certificate.
    pub id: CertificateId,
}

#[async_trait]
impl Operation for AcceptShape {
    type Output = Deploying;
    const NAME: &'static str = "certificate.accept_shape";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Deploying, Error> {
        let found = cx.unit.get::<Certificate>(self.id.as_str()).await?;
        let mut certificate = found.ok_or_else(|| Error::not_found("certificate", &self.id))?;
        if matches!(certificate.lifecycle, Lifecycle::Archived | Lifecycle::Revoked) {
            let message = format!("the certificate is {}; it is not deployed any more", certificate.lifecycle);
            return Err(Error::conflict("not_deployable", message));
        }
        let held = held(cx, &self.id).await?;
        if held.is_empty() {
            let message = "no version of this certificate is held; see its explanation for what keeps it";
            return Err(Error::conflict("nothing_held", message));
        }
        let policy = cx.unit.peek::<RenewalPolicy>(certificate.renewal_policy_id.as_str()).await?;
        let policy = policy.ok_or_else(|| Error::not_found("renewal policy", &certificate.renewal_policy_id))?;
        let targets = targets_of(&cx.unit, &certificate).await?;
        let agents = targets.iter().map(|target| target.agent_id.clone()).collect();
        let agents = live(cx.engine, &mut cx.unit, &agents).await?;
        let (mut deployments, mut accepted) = (Vec::new(), Vec::new());
        for version in &held {
            let own = targets.iter().filter(|target| target.agent_id.as_str() == version.key_holder);
            for target in own.filter(|target| agents.contains(&target.agent_id)) {
                let enabled = cx.unit.peek::<TargetRecord>(target.target_id.as_str()).await?.is_some_and(|t| t.enabled);
                if enabled {
                    deployments.push((target, &**version));
                }
            }
            accepted.push(json!({ "version_id": version.id, "findings": version.shape_findings.0 }));
        }
        let (principal, ordered_at) = (cx.principal, held.iter().map(|version| version.created_at).min());
        let ordered_at = ordered_at.unwrap_or(cx.now());
        let arrival =
            Arrival { certificate: &certificate, policy: &policy, principal, deployments: &deployments, ordered_at };
        let job_ids = if policy.deployment_waves.is_some() {
            rollout::arrive(cx.engine, &mut cx.unit, &arrival).await?
        } else {
            rollout::all_at_once(cx.engine, &mut cx.unit, &arrival).await?
        };
        for mut version in held {
            version.shape = ShapeState::Accepted;
            cx.unit.pin(&version);
            cx.unit.update(version);
        }
        if policy.deployment_waves.is_some() {
            // What begins a rollout writes the certificate.
            certificate.updated_at = cx.now();
            cx.unit.update(certificate);
        }
        let details = json!({ "versions": accepted, "job_ids": job_ids });
        cx.audit(AuditAction::ShapeAccepted, ("certificate", self.id.as_str()), details);
        Ok(Deploying { job_ids })
    }
}

/// The newest version of each key holder, where it is held.
async fn held(cx: &Context<'_>, id: &CertificateId) -> Result<Vec<Record<Version>>, Error> {
    let fields = Version::FIELDS;
    let versions = Query::sorted(fields.created_at.descending()).filter(fields.certificate_id.equals(id.clone()));
    let mut seen = BTreeSet::new();
    let mut held = cx.unit.list(versions.limit(MAX_TARGETS * 2)).await?.records;
    held.retain(|version| seen.insert(version.key_holder.clone()) && version.shape == ShapeState::Held);
    Ok(held)
}
