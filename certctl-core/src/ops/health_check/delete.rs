//! Deleting a health check.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, HealthCheck, HealthCheckId};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Deletes a health check. Its history ends by age.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Which.
    pub id: HealthCheckId,
}

#[async_trait]
impl Operation for Delete {
    type Output = ();
    const NAME: &'static str = "health_check.delete";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<HealthCheck>(self.id.as_str()).await?;
        let health = found.ok_or_else(|| Error::not_found("health check", &self.id))?;
        cx.unit.delete(&health);
        let details = json!({ "endpoint": health.endpoint });
        cx.audit(AuditAction::HealthCheckDeleted, ("health_check", self.id.as_str()), details);
        Ok(())
    }
}
