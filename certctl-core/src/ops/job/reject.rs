//! Rejecting a job.

use async_trait::async_trait;
use serde_json::json;

use super::decision::to_decide;
use crate::domain::{AuditAction, Certificate, JobId};
use crate::error::Error;
use crate::jobs::{deploy, failed};
use crate::ops::{Access, Context, Operation, check};

/// Rejects a job that waits for approval, which ends it; whoever asked for the job may not.
#[derive(Clone, Debug)]
pub struct Reject {
    /// Which.
    pub id: JobId,
    /// Why, for whoever asked; at most 1,000 characters.
    pub reason: Option<String>,
}

#[async_trait]
impl Operation for Reject {
    type Output = ();
    const NAME: &'static str = "job.reject";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let reason = self.reason.as_deref().unwrap_or_default().trim();
        check::text("/reason", reason, 1_000)?;
        let mut job = to_decide(cx, &self.id).await?;
        let reason = if reason.is_empty() { "no reason was given" } else { reason };
        deploy::cancel(&mut job, cx.now(), &format!("rejected: {reason}"))?;
        if let Some(certificate) = cx.unit.get::<Certificate>(job.certificate_id.as_str()).await? {
            failed::give_up(&mut cx.unit, certificate, &job).await?;
        }
        let details = json!({
            "certificate_id": job.certificate_id, "type": job.kind, "requested_by": job.requested_by, "reason": reason,
        });
        cx.audit(AuditAction::JobRejected, ("job", self.id.as_str()), details);
        cx.unit.update(job);
        Ok(())
    }
}
