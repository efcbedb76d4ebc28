//! Reading one health check.

use async_trait::async_trait;

use crate::domain::{HealthCheck, HealthCheckId};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads a health check.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: HealthCheckId,
}

#[async_trait]
impl Operation for Get {
    type Output = Record<HealthCheck>;
    const NAME: &'static str = "health_check.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Record<HealthCheck>, Error> {
        cx.unit.peek(self.id.as_str()).await?.ok_or_else(|| Error::not_found("health check", &self.id))
    }
}
