//! Deleting a group of agents.

use async_trait::async_trait;
use serde_json::json;

use super::named::Named;
use crate::domain::{AgentGroup, AgentGroupId, AuditAction};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Deletes a group of agents; the agents stay.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Which.
    pub id: AgentGroupId,
}

#[async_trait]
impl Operation for Delete {
    type Output = ();
    const NAME: &'static str = "agent_group.delete";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<AgentGroup>(self.id.as_str()).await?;
        let group = found.ok_or_else(|| Error::not_found("agent group", &self.id))?;
        Named::read(&cx.unit, &self.id).await?.forget(cx);
        cx.unit.delete(&group);
        let details = json!({ "name": group.name });
        cx.audit(AuditAction::AgentGroupDeleted, ("agent_group", self.id.as_str()), details);
        Ok(())
    }
}
