//! Deleting a target of network searches.

use async_trait::async_trait;
use serde_json::json;

use super::schedule;
use crate::domain::{AuditAction, NetworkScanTarget, NetworkScanTargetId};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Deletes a target. What its searches found stays; one that is under way ends.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Which.
    pub id: NetworkScanTargetId,
}

#[async_trait]
impl Operation for Delete {
    type Output = ();
    const NAME: &'static str = "network_scan.delete";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<NetworkScanTarget>(self.id.as_str()).await?;
        let target = found.ok_or_else(|| Error::not_found("network scan target", &self.id))?;
        let schedule = schedule::of(&mut cx.unit, &self.id).await?;
        cx.unit.delete(&schedule);
        cx.unit.delete(&target);
        let details = json!({ "name": target.name });
        cx.audit(AuditAction::NetworkScanTargetDeleted, ("network_scan_target", self.id.as_str()), details);
        Ok(())
    }
}
