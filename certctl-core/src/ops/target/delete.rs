//! Deleting a target.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, TargetId, TargetRecord};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Deletes a target that no certificate is mapped to.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Which.
    pub id: TargetId,
}

#[async_trait]
impl Operation for Delete {
    type Output = ();
    const NAME: &'static str = "target.delete";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<TargetRecord>(self.id.as_str()).await?;
        let target = found.ok_or_else(|| Error::not_found("target", &self.id))?;
        cx.unit.delete(&target);
        cx.audit(AuditAction::TargetDeleted, ("target", self.id.as_str()), json!({ "name": target.name }));
        Ok(())
    }
}
