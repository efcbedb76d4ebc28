//! Saying that a discovered certificate does not matter.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, DiscoveredCertificate, DiscoveredCertificateId, DiscoveryStatus};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Says that a discovered certificate does not matter. Searches that find it again leave it dismissed.
#[derive(Clone, Debug)]
pub struct Dismiss {
    /// Which.
    pub id: DiscoveredCertificateId,
}

#[async_trait]
impl Operation for Dismiss {
    type Output = DiscoveredCertificate;
    const NAME: &'static str = "discovery.dismiss";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<DiscoveredCertificate, Error> {
        let found = cx.unit.get::<DiscoveredCertificate>(self.id.as_str()).await?;
        let mut found = found.ok_or_else(|| Error::not_found("discovered certificate", &self.id))?;
        found.status = found.status.transition(DiscoveryStatus::Dismissed).map_err(Error::internal)?;
        let now = cx.now();
        found.managed_certificate_id = None;
        (found.dismissed_at, found.updated_at) = (found.dismissed_at.or(Some(now)), now);
        let answer = DiscoveredCertificate::clone(&found);
        cx.unit.update(found);
        cx.audit(AuditAction::DiscoveryDismissed, ("discovered_certificate", self.id.as_str()), json!({}));
        Ok(answer)
    }
}
