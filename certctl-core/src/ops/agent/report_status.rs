//! What an agent says of a job.

use async_trait::async_trait;
use serde_json::json;

use super::acting::acting;
use crate::domain::{AgentId, AuditAction, Certificate, Job, JobId, JobState, JobType, NotificationType, Timestamp};
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::failed::{self, Failure};
use crate::jobs::rollout::{self, Ended};
use crate::ops::{Access, Context, Operation};
use crate::outbox::{self, About};
use crate::text_enum;

text_enum! {
    /// What an agent may say.
    pub enum ReportedStatus {
        /// It is done.
        Completed = "Completed",
        /// It failed.
        Failed = "Failed",
        /// It has begun.
        Running = "Running",
    }
}

/// Reports on a job. Saying the same again changes nothing.
#[derive(Clone, Debug)]
pub struct ReportStatus {
    /// Which agent.
    pub agent_id: AgentId,
    /// Which job.
    pub job_id: JobId,
    /// How it stands.
    pub status: ReportedStatus,
    /// What went wrong.
    pub error: Option<String>,
}

#[async_trait]
impl Operation for ReportStatus {
    type Output = ();
    const NAME: &'static str = "agent.report_status";
    const ACCESS: Access = Access::AGENT;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        acting(cx, &self.agent_id).await?;
        let job = cx.unit.get::<Job>(self.job_id.as_str()).await?;
        let job = job
            .filter(|job| job.agent_id.as_ref() == Some(&self.agent_id))
            .ok_or_else(|| Error::not_found("job", &self.job_id))?;
        let same = matches!(
            (self.status, job.state),
            (ReportedStatus::Completed, JobState::Completed) | (ReportedStatus::Failed, JobState::Failed)
        );
        if same {
            return Ok(());
        }
        if !job.is_open() || job.state == JobState::Failed {
            let message = format!("job {} is {}; the report comes too late", job.id, job.state);
            return Err(Error::conflict("job_is_closed", message));
        }
        match self.status {
            ReportedStatus::Running => {
                self.begun(cx, job);
                Ok(())
            }
            ReportedStatus::Completed => self.completed(cx, job).await,
            // Its request was taken: what comes of it is for whoever holds the job to say, not for the agent.
            ReportedStatus::Failed if job.kind.issues() && job.state != JobState::AwaitingCsr => {
                let message =
                    format!("job {} is {}, a request was taken; the report comes too late", job.id, job.state);
                Err(Error::conflict("csr_already_submitted", message))
            }
            ReportedStatus::Failed => {
                let message = self.error.clone().unwrap_or_else(|| "the agent gave no reason".into());
                let principal = cx.principal.clone();
                let failure = Failure { message: &message, retryable: true, retry_after: None, principal: &principal };
                failed::record(cx.engine, &mut cx.unit, job, &failure).await
            }
        }
    }
}

impl ReportStatus {
    fn begun(&self, cx: &mut Context<'_>, mut job: Record<Job>) {
        if job.kind.issues() || job.state != JobState::Running {
            // A job that waits for a request stays so until the request comes.
            return;
        }
        if job.started_at.is_none() {
            job.started_at = Some(cx.now());
            cx.unit.update(job);
            cx.audit(AuditAction::JobStatusReported, ("job", self.job_id.as_str()), json!({ "status": self.status }));
        }
    }

    async fn completed(&self, cx: &mut Context<'_>, mut job: Record<Job>) -> Result<(), Error> {
        if job.kind != JobType::Deployment || job.state != JobState::Running {
            let message = format!(
                "job {} is a {} in state {}; only a deployment that runs is completed so",
                job.id, job.kind, job.state
            );
            return Err(Error::conflict("not_completable", message));
        }
        let now = cx.now();
        job.state = job.state.transition(JobState::Completed).map_err(Error::internal)?;
        (job.open_slot, job.holder, job.last_error) = (None, None, None);
        (job.due_at, job.completed_at) = (Timestamp::NEVER, Some(now));
        job.started_at = job.started_at.or(Some(now));
        job.attempts += 1;
        let certificate = cx.unit.get::<Certificate>(job.certificate_id.as_str()).await?;
        if let Some(mut certificate) = certificate {
            certificate.last_deployment_at = Some(now);
            let about = About::new(&certificate, NotificationType::DeploymentSuccess, job.id.as_str());
            let subject = format!("{} is in service", certificate.name);
            let target = job.target_id.as_ref().map(ToString::to_string).unwrap_or_default();
            let message = format!("Certificate {} is in service on target {target}.", certificate.name);
            outbox::notify(cx.engine, &mut cx.unit, &about, &subject, &message).await?;
            let ended = Ended { certificate: &certificate, principal: cx.principal, jobs: &[&job], called_off: false };
            let _ = rollout::ended(cx.engine, &mut cx.unit, &ended).await?;
            cx.unit.update(certificate);
        }
        let details =
            json!({ "certificate_id": job.certificate_id, "target_id": job.target_id, "version_id": job.version_id });
        cx.audit(AuditAction::DeploymentCompleted, ("job", self.job_id.as_str()), details);
        cx.unit.update(job);
        Ok(())
    }
}
