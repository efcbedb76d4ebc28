//! Reading one group of agents.

use async_trait::async_trait;

use super::AgentGroupView;
use crate::domain::{AgentGroup, AgentGroupId};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads a group of agents, and the version that is stored.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: AgentGroupId,
}

#[async_trait]
impl Operation for Get {
    type Output = (i64, AgentGroupView);
    const NAME: &'static str = "agent_group.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(i64, AgentGroupView), Error> {
        let found = cx.unit.peek::<AgentGroup>(self.id.as_str()).await?;
        let group = found.ok_or_else(|| Error::not_found("agent group", &self.id))?;
        let version = group.version();
        Ok((version, AgentGroupView::of(&cx.unit, group.into_entity()).await?))
    }
}
