//! Saying which managed certificate a discovered one belongs to.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{
    AuditAction, Certificate, CertificateId, DiscoveredCertificate, DiscoveredCertificateId, DiscoveryStatus, Lifecycle,
};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Says which managed certificate a discovered one belongs to. It may be said anew, also of a dismissed one.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Which.
    pub id: DiscoveredCertificateId,
    /// The managed certificate.
    pub managed_certificate_id: CertificateId,
}

#[async_trait]
impl Operation for Claim {
    type Output = DiscoveredCertificate;
    const NAME: &'static str = "discovery.claim";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<DiscoveredCertificate, Error> {
        let found = cx.unit.get::<DiscoveredCertificate>(self.id.as_str()).await?;
        let mut found = found.ok_or_else(|| Error::not_found("discovered certificate", &self.id))?;
        let managed = cx.unit.peek::<Certificate>(self.managed_certificate_id.as_str()).await?;
        let managed = managed.ok_or_else(|| Error::not_found("certificate", &self.managed_certificate_id))?;
        if managed.lifecycle == Lifecycle::Archived {
            let message = format!("certificate `{}` is archived and manages nothing any more", managed.id);
            return Err(Error::conflict("archived", message));
        }
        found.status = found.status.transition(DiscoveryStatus::Managed).map_err(Error::internal)?;
        found.managed_certificate_id = Some(self.managed_certificate_id.clone());
        (found.dismissed_at, found.updated_at) = (None, cx.now());
        let answer = DiscoveredCertificate::clone(&found);
        cx.unit.update(found);
        let details = json!({ "managed_certificate_id": self.managed_certificate_id });
        cx.audit(AuditAction::DiscoveryClaimed, ("discovered_certificate", self.id.as_str()), details);
        Ok(answer)
    }
}
