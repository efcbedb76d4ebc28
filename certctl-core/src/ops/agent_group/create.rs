//! Creating a group of agents.

use async_trait::async_trait;
use serde_json::json;

use super::AgentGroupView;
use super::named::Named;
use crate::domain::{AgentGroup, AgentGroupId, AgentId, AuditAction, Cidr, MembershipType};
use crate::error::Error;
use crate::ops::{Access, Context, Operation, check};

/// Creates a group of agents.
#[derive(Clone, Debug, Default)]
pub struct Create {
    /// Kept when given.
    pub id: Option<AgentGroupId>,
    /// Unique; 1 to 255 characters.
    pub name: String,
    /// Free text of at most 2,000 characters.
    pub description: String,
    /// The operating system, in any case; empty for any.
    pub match_os: String,
    /// The architecture, in any case; empty for any.
    pub match_architecture: String,
    /// The network that the address lies in; absent for any.
    pub match_ip_cidr: Option<Cidr>,
    /// Exactly this version of the program; empty for any.
    pub match_version: String,
    /// Agents that are members whatever they are, at most 1,000.
    pub include_agent_ids: Vec<AgentId>,
    /// Agents that are no members whatever else holds, at most 1,000.
    pub exclude_agent_ids: Vec<AgentId>,
    /// Whether it has members.
    pub enabled: bool,
}

#[async_trait]
impl Operation for Create {
    type Output = AgentGroupView;
    const NAME: &'static str = "agent_group.create";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<AgentGroupView, Error> {
        let now = cx.now();
        let group = AgentGroup {
            id: self.id.clone().unwrap_or_else(|| AgentGroupId::generate(&*cx.ports().clock, &*cx.ports().rng)),
            name: self.name.clone(),
            description: self.description.clone(),
            match_os: self.match_os.clone(),
            match_architecture: self.match_architecture.clone(),
            match_ip_cidr: self.match_ip_cidr,
            match_version: self.match_version.clone(),
            enabled: self.enabled,
            created_at: now,
            updated_at: now,
        };
        check(&group)?;
        cx.unit.insert(group.clone());
        let (named, id) = (Named::default(), &group.id);
        let include_agent_ids = named.replace(cx, id, MembershipType::Include, Some(&self.include_agent_ids)).await?;
        let exclude_agent_ids = named.replace(cx, id, MembershipType::Exclude, Some(&self.exclude_agent_ids)).await?;
        let details = json!({ "name": group.name });
        cx.audit(AuditAction::AgentGroupCreated, ("agent_group", group.id.as_str()), details);
        Ok(AgentGroupView { group, include_agent_ids, exclude_agent_ids })
    }
}

/// What every group must be.
pub(super) fn check(group: &AgentGroup) -> Result<(), Error> {
    check::name("/name", &group.name, 255)?;
    check::text("/description", &group.description, 2_000)?;
    check::text("/match_os", &group.match_os, 128)?;
    check::text("/match_architecture", &group.match_architecture, 128)?;
    check::text("/match_version", &group.match_version, 128)
}
