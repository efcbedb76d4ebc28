//! Approving a job.

use async_trait::async_trait;
use serde_json::json;

use super::decision::to_decide;
use crate::domain::{AuditAction, JobId, JobState};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Approves a job that waits for it; whoever asked for the job may not. The job goes on with the request that it has, or
/// waits for one.
#[derive(Clone, Debug)]
pub struct Approve {
    /// Which.
    pub id: JobId,
}

#[async_trait]
impl Operation for Approve {
    type Output = ();
    const NAME: &'static str = "job.approve";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let mut job = to_decide(cx, &self.id).await?;
        let now = cx.now();
        let (next, due_at) = if job.step.is_some() {
            (JobState::Pending, now)
        } else {
            (JobState::AwaitingCsr, now + cx.engine.cadence().awaiting_csr)
        };
        job.state = job.state.transition(next).map_err(Error::internal)?;
        (job.due_at, job.scheduled_at) = (due_at, now);
        if let Some(agent) = job.agent_id.as_ref().filter(|_| next == JobState::AwaitingCsr) {
            cx.wake_agent(agent.as_str());
        }
        let details =
            json!({ "certificate_id": job.certificate_id, "type": job.kind, "requested_by": job.requested_by });
        cx.audit(AuditAction::JobApproved, ("job", self.id.as_str()), details);
        cx.unit.update(job);
        Ok(())
    }
}
