//! What an agent saw served after a deployment.

use async_trait::async_trait;
use serde_json::json;

use super::acting::acting;
use crate::domain::{
    AuditAction, Certificate, Fingerprint, Job, JobId, JobType, NotificationType, Role, TargetId, Timestamp,
    VerificationStatus,
};
use crate::error::Error;
use crate::jobs::rollout::{self, Ended, Told};
use crate::ops::health_check::automatic;
use crate::ops::{Access, Context, Operation, check};
use crate::outbox::{self, About};

/// Reports a verification. The engine compares the fingerprints itself.
#[derive(Clone, Debug)]
pub struct Verify {
    /// Which deployment.
    pub job_id: JobId,
    /// Its target.
    pub target_id: TargetId,
    /// What should be served; empty when nothing could be asked.
    pub expected_fingerprint: String,
    /// What was served; empty when nothing was.
    pub actual_fingerprint: String,
    /// What the agent made of it.
    pub verified: bool,
    /// Why nothing was served.
    pub error: Option<String>,
}

/// A recorded verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The deployment.
    pub job_id: JobId,
    /// Whether what should be served is served.
    pub verified: bool,
    /// When it was recorded.
    pub verified_at: Timestamp,
}

#[async_trait]
impl Operation for Verify {
    type Output = Verified;
    const NAME: &'static str = "agent.verify";
    const ACCESS: Access = Access::AGENT;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Verified, Error> {
        let not_found = || Error::not_found("job", &self.job_id);
        let mut job = cx.unit.get::<Job>(self.job_id.as_str()).await?.ok_or_else(not_found)?;
        let foreign =
            cx.principal.role == Role::Agent && cx.principal.agent.is_some() && cx.principal.agent != job.agent_id;
        if foreign || job.kind != JobType::Deployment {
            return Err(not_found());
        }
        if let Some(agent) = job.agent_id.clone() {
            acting(cx, &agent).await?;
        }
        if job.target_id.as_ref() != Some(&self.target_id) {
            return Err(Error::invalid_field("/target_id", "wrong_target", "the job deploys to another target"));
        }
        let error = self.error.clone().filter(|error| !error.is_empty());
        error.as_ref().map_or(Ok(()), |error| check::text("/error", error, 4_000))?;
        let expected = print("/expected_fingerprint", &self.expected_fingerprint, error.is_some())?;
        let actual = print("/actual_fingerprint", &self.actual_fingerprint, error.is_some())?;
        let now = cx.now();
        // What the version was is known here; the agent's word counts only for what it saw.
        let wanted = job.expected_fingerprint.or(expected);
        let verified = self.verified && error.is_none() && actual.is_some() && actual == wanted;
        let mismatch = || match &actual {
            Some(actual) => format!("{actual} is served"),
            None => "nothing is served".into(),
        };
        let before = job.verification_status;
        job.verification_error = if verified { None } else { Some(error.unwrap_or_else(mismatch)) };
        job.verification_status = Some(if verified { VerificationStatus::Success } else { VerificationStatus::Failed });
        (job.verified_at, job.verification_fingerprint) = (Some(now), actual);
        job.expected_fingerprint = wanted;
        if !verified && before != Some(VerificationStatus::Failed) {
            tell(cx, &job).await?;
        }
        let action = if verified { AuditAction::VerificationSucceeded } else { AuditAction::VerificationFailed };
        let details = json!({ "expected": wanted, "actual": actual, "error": job.verification_error });
        cx.audit(action, ("job", self.job_id.as_str()), details);
        if let Some(served) = actual.filter(|_| verified) {
            automatic::watch(cx, &job, served).await?;
        }
        cx.unit.update(job);
        Ok(Verified { job_id: self.job_id.clone(), verified, verified_at: now })
    }
}

/// Halts the rollout that it belongs to, or tells that something else than what was deployed is served, or nothing: once until
/// it is seen served again.
async fn tell(cx: &mut Context<'_>, job: &Job) -> Result<(), Error> {
    let Some(certificate) = cx.unit.peek::<Certificate>(job.certificate_id.as_str()).await? else { return Ok(()) };
    let ended = Ended { certificate: &certificate, principal: cx.principal, jobs: &[job], called_off: false };
    if rollout::ended(cx.engine, &mut cx.unit, &ended).await? == Told::Yes {
        return Ok(());
    }
    let key = format!("{}:verification:{}", job.id, cx.now());
    let about = About::new(&certificate, NotificationType::DeploymentFailure, &key);
    let target = job.target_id.as_ref().map(ToString::to_string).unwrap_or_default();
    let subject = format!("{} is not served by target {target}", certificate.name);
    let why = job.verification_error.as_deref().unwrap_or_default();
    let message = format!("Certificate {} was deployed to target {target} and is not served: {why}.", certificate.name);
    outbox::notify(cx.engine, &mut cx.unit, &about, &subject, &message).await?;
    Ok(())
}

/// An empty fingerprint is fine where an error says why there is none.
fn print(pointer: &str, text: &str, may_be_empty: bool) -> Result<Option<Fingerprint>, Error> {
    if text.is_empty() && may_be_empty {
        return Ok(None);
    }
    Fingerprint::parse(text)
        .map(Some)
        .map_err(|error| Error::invalid_field(pointer, "bad_fingerprint", error.to_string()))
}
