//! Listing groups of agents.

use async_trait::async_trait;

use super::AgentGroupView;
use crate::domain::AgentGroup;
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists groups of agents, newest first.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = (Listed<AgentGroup>, Vec<AgentGroupView>);
    const NAME: &'static str = "agent_group.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Self::Output, Error> {
        let newest = Query::sorted(AgentGroup::FIELDS.created_at.descending());
        let listed = self.page.read(&cx.unit, newest).await?;
        let mut views = Vec::with_capacity(listed.records.len());
        for record in &listed.records {
            views.push(AgentGroupView::of(&cx.unit, AgentGroup::clone(record)).await?);
        }
        Ok((listed, views))
    }
}
