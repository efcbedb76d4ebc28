//! Reading one entry.

use async_trait::async_trait;

use crate::domain::{AuditEvent, AuditEventId};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads an entry of the audit trail.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: AuditEventId,
}

#[async_trait]
impl Operation for Get {
    type Output = Record<AuditEvent>;
    const NAME: &'static str = "audit.get";
    const ACCESS: Access = Access::AUDIT;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Record<AuditEvent>, Error> {
        cx.unit.peek(self.id.as_str()).await?.ok_or_else(|| Error::not_found("audit event", &self.id))
    }
}
