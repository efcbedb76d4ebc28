//! Groups of agents.

use certctl_core::domain::AgentGroupId;
use certctl_core::ports::Method;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{Agent, AgentGroup, CreateAgentGroup, Page, UpdateAgentGroup};

fn path<'a>(rest: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    ["api", "v1", "agent-groups"].into_iter().chain(rest)
}

impl Client {
    /// Lists groups of agents.
    pub async fn list_agent_groups(&self, listing: &Listing) -> Result<Page<AgentGroup>, ClientError> {
        self.list(Call::get(path([])), listing).await
    }
    /// Makes a group of agents.
    pub async fn create_agent_group(&self, request: &CreateAgentGroup) -> Result<AgentGroup, ClientError> {
        self.call(Call::post(path([])).body(request)).await
    }
    /// Reads a group of agents.
    pub async fn agent_group(&self, id: &AgentGroupId) -> Result<AgentGroup, ClientError> {
        self.call(Call::get(path([id.as_str()]))).await
    }
    /// Changes a group of agents.
    pub async fn update_agent_group(
        &self,
        id: &AgentGroupId,
        request: &UpdateAgentGroup,
    ) -> Result<AgentGroup, ClientError> {
        self.call(Call::new(Method::Put, path([id.as_str()])).body(request)).await
    }
    /// Deletes a group of agents.
    pub async fn delete_agent_group(&self, id: &AgentGroupId) -> Result<(), ClientError> {
        self.call_empty(Call::new(Method::Delete, path([id.as_str()]))).await
    }
    /// Lists the agents that are in a group now.
    pub async fn list_agent_group_members(
        &self,
        id: &AgentGroupId,
        listing: &Listing,
    ) -> Result<Page<Agent>, ClientError> {
        self.list(Call::get(path([id.as_str(), "members"])), listing).await
    }
}
