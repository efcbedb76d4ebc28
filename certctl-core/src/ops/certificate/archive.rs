//! Putting a certificate away.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, Certificate, CertificateId, Job, Lifecycle, Rollout, Timestamp};
use crate::error::Error;
use crate::jobs::deploy::cancel;
use crate::jobs::policy;
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// Archives a certificate and calls off its open jobs. Its versions stay, and so does what is known of its serials.
#[derive(Clone, Debug)]
pub struct Archive {
    /// Which.
    pub id: CertificateId,
}

#[async_trait]
impl Operation for Archive {
    type Output = ();
    const NAME: &'static str = "certificate.archive";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<Certificate>(self.id.as_str()).await?;
        let mut certificate = found.ok_or_else(|| Error::not_found("certificate", &self.id))?;
        if certificate.lifecycle == Lifecycle::Archived {
            return Ok(());
        }
        certificate.lifecycle = certificate.lifecycle.transition(Lifecycle::Archived).map_err(Error::internal)?;
        (certificate.renewing, certificate.renew_at) = (false, Timestamp::NEVER);
        certificate.updated_at = cx.now();
        cx.unit.update(certificate);
        let open = Query::<Job>::all()
            .filter(Job::FIELDS.certificate_id.equals(self.id.clone()))
            .filter(Job::FIELDS.open_slot.is_set())
            .limit(1_000);
        policy::forget(&mut cx.unit, &self.id).await?;
        let (mut cancelled, mut rolls) = (Vec::new(), false);
        for mut job in cx.unit.list(open).await?.records {
            cancel(&mut job, cx.unit.now(), "the certificate was archived")?;
            cancelled.push(job.id.clone());
            rolls |= job.rollout.is_some();
            cx.unit.update(job);
        }
        if rolls && let Some(rollout) = cx.unit.get::<Rollout>(self.id.as_str()).await? {
            cx.unit.delete(&rollout);
        }
        let details = json!({ "cancelled_jobs": cancelled });
        cx.audit(AuditAction::CertificateArchived, ("certificate", self.id.as_str()), details);
        Ok(())
    }
}
