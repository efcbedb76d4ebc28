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
use crate::jobs::deploy::{NewDeployment, insert, supersede};
use crate::jobs::live::live;
use crate::jobs::open::{MAX_TARGETS, targets_of};
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
        let certificate = found.ok_or_else(|| Error::not_found("certificate", &self.id))?;
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
        let (mut job_ids, mut accepted) = (Vec::new(), Vec::new());
        for mut version in held {
            version.shape = ShapeState::Accepted;
            let own = targets.iter().filter(|target| target.agent_id.as_str() == version.key_holder);
            for target in own.filter(|target| agents.contains(&target.agent_id)) {
                let enabled = cx.unit.peek::<TargetRecord>(target.target_id.as_str()).await?.is_some_and(|t| t.enabled);
                if enabled {
                    supersede(&mut cx.unit, &self.id, &target.target_id).await?;
                    let (certificate, policy, requested_by) = (&certificate, &policy, cx.principal.id.as_str());
                    let new = NewDeployment { certificate, target, version: &version, policy, requested_by };
                    job_ids.push(insert(cx.engine, &mut cx.unit, &new));
                }
            }
            accepted.push(json!({ "version_id": version.id, "findings": version.shape_findings.0 }));
            cx.unit.pin(&version);
            cx.unit.update(version);
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
