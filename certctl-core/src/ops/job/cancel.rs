//! Calling a job off.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, Certificate, Job, JobId};
use crate::error::Error;
use crate::jobs::rollout::{self, Ended};
use crate::jobs::{deploy, failed};
use crate::ops::{Access, Context, Operation};

/// Cancels an open job. A worker that has it loses its lease: what it reports later is refused. A deployment of a rollout that has
/// begun halts the rollout; one that waits for its turn is left out.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// Which.
    pub id: JobId,
}

#[async_trait]
impl Operation for Cancel {
    type Output = ();
    const NAME: &'static str = "job.cancel";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let mut job = cx.unit.get::<Job>(self.id.as_str()).await?.ok_or_else(|| Error::not_found("job", &self.id))?;
        if !job.is_open() {
            let message = format!("the job is {} and at its end; only open jobs can be cancelled", job.state);
            return Err(Error::conflict("job_is_closed", message));
        }
        let called_off = !job.is_held();
        deploy::cancel(&mut job, cx.unit.now(), "cancelled")?;
        job.last_error = None;
        if job.kind.issues()
            && let Some(certificate) = cx.unit.get::<Certificate>(job.certificate_id.as_str()).await?
        {
            failed::give_up(&mut cx.unit, certificate, &job).await?;
        }
        if job.rollout.is_some()
            && let Some(certificate) = cx.unit.peek::<Certificate>(job.certificate_id.as_str()).await?
        {
            let ended = Ended { certificate: &certificate, principal: cx.principal, jobs: &[&job], called_off };
            let _ = rollout::ended(cx.engine, &mut cx.unit, &ended).await?;
        }
        cx.audit(AuditAction::JobCancelled, ("job", self.id.as_str()), json!({ "type": job.kind }));
        cx.unit.update(job);
        Ok(())
    }
}
