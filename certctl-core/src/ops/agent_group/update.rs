//! Changing a group of agents.

use async_trait::async_trait;

use super::AgentGroupView;
use super::create::check;
use super::named::Named;
use crate::domain::{AgentGroup, AgentGroupId, AgentId, AuditAction, Cidr, MembershipType};
use crate::error::Error;
use crate::ops::merge::Merge;
use crate::ops::{Access, Context, Operation};

/// Changes what is given of a group of agents.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which.
    pub id: AgentGroupId,
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// Another operating system; empty for any.
    pub match_os: Option<String>,
    /// Another architecture; empty for any.
    pub match_architecture: Option<String>,
    /// Another network; `Some(None)` for any.
    pub match_ip_cidr: Option<Option<Cidr>>,
    /// Another version; empty for any.
    pub match_version: Option<String>,
    /// All agents that it includes by name from now on.
    pub include_agent_ids: Option<Vec<AgentId>>,
    /// All agents that it excludes by name from now on.
    pub exclude_agent_ids: Option<Vec<AgentId>>,
    /// Whether it has members.
    pub enabled: Option<bool>,
}

#[async_trait]
impl Operation for Update {
    type Output = AgentGroupView;
    const NAME: &'static str = "agent_group.update";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<AgentGroupView, Error> {
        let found = cx.unit.get::<AgentGroup>(self.id.as_str()).await?;
        let mut group = found.ok_or_else(|| Error::not_found("agent group", &self.id))?;
        let mut merge = Merge::default();
        merge.set("name", &mut group.name, self.name.as_ref());
        merge.set("description", &mut group.description, self.description.as_ref());
        merge.set("match_os", &mut group.match_os, self.match_os.as_ref());
        merge.set("match_architecture", &mut group.match_architecture, self.match_architecture.as_ref());
        merge.set("match_ip_cidr", &mut group.match_ip_cidr, self.match_ip_cidr.as_ref());
        merge.set("match_version", &mut group.match_version, self.match_version.as_ref());
        merge.set("enabled", &mut group.enabled, self.enabled.as_ref());
        check(&group)?;
        // The group's own row is written with them, so of two changes to the names at once one comes too late.
        group.updated_at = cx.now();
        let named = Named::read(&cx.unit, &self.id).await?;
        let (include, exclude) = (self.include_agent_ids.as_ref(), self.exclude_agent_ids.as_ref());
        let include_agent_ids = named.replace(cx, &self.id, MembershipType::Include, include).await?;
        let exclude_agent_ids = named.replace(cx, &self.id, MembershipType::Exclude, exclude).await?;
        merge.note("include_agent_ids", include.is_some());
        merge.note("exclude_agent_ids", exclude.is_some());
        let answer = AgentGroup::clone(&group);
        cx.unit.update(group);
        cx.audit(AuditAction::AgentGroupUpdated, ("agent_group", self.id.as_str()), merge.details());
        Ok(AgentGroupView { group: answer, include_agent_ids, exclude_agent_ids })
    }
}
