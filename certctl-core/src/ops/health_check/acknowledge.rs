//! Saying that somebody knows of an endpoint's trouble.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, HealthCheck, HealthCheckId};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Acknowledges how an endpoint does, until that changes. Who does is the principal.
#[derive(Clone, Debug)]
pub struct Acknowledge {
    /// Which check.
    pub id: HealthCheckId,
}

#[async_trait]
impl Operation for Acknowledge {
    type Output = ();
    const NAME: &'static str = "health_check.acknowledge";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<HealthCheck>(self.id.as_str()).await?;
        let mut health = found.ok_or_else(|| Error::not_found("health check", &self.id))?;
        let details = json!({ "endpoint": health.endpoint, "status": health.status });
        health.acknowledged = true;
        (health.acknowledged_by, health.acknowledged_at) = (Some(cx.principal.id.clone()), Some(cx.now()));
        health.updated_at = cx.now();
        cx.unit.update(health);
        cx.audit(AuditAction::HealthCheckAcknowledged, ("health_check", self.id.as_str()), details);
        Ok(())
    }
}
