//! Who is in a group of agents.

use async_trait::async_trait;

use super::named::Named;
use crate::decide::agent_group::{MembershipInput, decide};
use crate::domain::{Agent, AgentGroup, AgentGroupId, MembershipType};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation};
use crate::storage::Query;

/// Lists the agents that are in a group now, those that were registered last first.
#[derive(Clone, Debug)]
pub struct Members {
    /// Of which group.
    pub id: AgentGroupId,
    /// Which page, from 1.
    pub page: u64,
    /// 1 to 500; anything else counts as 50.
    pub per_page: u64,
}

/// Agents that are read at once.
const BATCH: usize = 500;

#[async_trait]
impl Operation for Members {
    type Output = Listed<Agent>;
    const NAME: &'static str = "agent_group.members";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<Agent>, Error> {
        let found = cx.unit.peek::<AgentGroup>(self.id.as_str()).await?;
        let group = found.ok_or_else(|| Error::not_found("agent group", &self.id))?;
        Ok(Listed::part(members(cx, &group).await?, self.page, self.per_page))
    }
}

async fn members(cx: &Context<'_>, group: &AgentGroup) -> Result<Vec<Record<Agent>>, Error> {
    let named = Named::read(&cx.unit, &group.id).await?;
    let (include, exclude) = (named.ids(MembershipType::Include), named.ids(MembershipType::Exclude));
    let fields = Agent::FIELDS;
    let (mut members, mut after) = (Vec::new(), None);
    loop {
        let live = Query::sorted(fields.registered_at.descending()).filter(fields.retired_at.is_null());
        let page = cx.unit.list(live.limit(BATCH).after(after)).await?;
        members.extend(page.records.into_iter().filter(|agent| {
            let (included, excluded) = (include.contains(&agent.id), exclude.contains(&agent.id));
            decide(&MembershipInput { group, agent, included, excluded }).member
        }));
        if page.next.is_none() {
            return Ok(members);
        }
        after = page.next;
    }
}
