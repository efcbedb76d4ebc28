//! Groups of agents.

use certctl_core::domain::{AgentGroupId, AgentId, Cidr, Timestamp};
use certctl_core::ops::agent_group::AgentGroupView;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Patch;
use super::patch::{unless_empty, unless_null};

/// A group of agents: those that meet every criterion that is not empty, and those that it includes, without those that it
/// excludes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentGroup {
    /// Its id.
    #[schema(value_type = String)]
    pub id: AgentGroupId,
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The operating system, in any case; empty for any.
    pub match_os: String,
    /// The architecture, in any case; empty for any.
    pub match_architecture: String,
    /// The network that the address lies in, in CIDR notation; empty for any.
    pub match_ip_cidr: String,
    /// Exactly this version of the program; empty for any.
    pub match_version: String,
    /// Agents that are members whatever they are.
    #[schema(value_type = Vec<String>)]
    pub include_agent_ids: Vec<AgentId>,
    /// Agents that are no members whatever else holds.
    #[schema(value_type = Vec<String>)]
    pub exclude_agent_ids: Vec<AgentId>,
    /// Whether it has members.
    pub enabled: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// Makes a group of agents. Without a criterion its members are those that it includes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateAgentGroupRequest)]
pub struct CreateAgentGroup {
    /// An id of the client's choice; generated when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub id: Option<AgentGroupId>,
    /// Unique.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// Free text.
    #[serde(default, deserialize_with = "unless_null")]
    pub description: String,
    /// The operating system, in any case; empty for any.
    #[serde(default, deserialize_with = "unless_null")]
    pub match_os: String,
    /// The architecture, in any case; empty for any.
    #[serde(default, deserialize_with = "unless_null")]
    pub match_architecture: String,
    /// The network that the address lies in, in CIDR notation; empty for any.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub match_ip_cidr: Option<Cidr>,
    /// Exactly this version of the program; empty for any.
    #[serde(default, deserialize_with = "unless_null")]
    pub match_version: String,
    /// Agents that are members whatever they are.
    #[serde(default, deserialize_with = "unless_null")]
    #[schema(value_type = Vec<String>)]
    pub include_agent_ids: Vec<AgentId>,
    /// Agents that are no members whatever else holds.
    #[serde(default, deserialize_with = "unless_null")]
    #[schema(value_type = Vec<String>)]
    pub exclude_agent_ids: Vec<AgentId>,
    /// Whether it has members; `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
}

/// Changes the members that are given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UpdateAgentGroupRequest)]
pub struct UpdateAgentGroup {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// A new description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub description: Option<String>,
    /// Another operating system; empty for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub match_os: Option<String>,
    /// Another architecture; empty for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub match_architecture: Option<String>,
    /// Another network, in CIDR notation; empty or null for any.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    #[schema(value_type = Option<String>)]
    pub match_ip_cidr: Patch<Cidr>,
    /// Another version; empty for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub match_version: Option<String>,
    /// All agents from now on that are members whatever they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    pub include_agent_ids: Option<Vec<AgentId>>,
    /// All agents from now on that are no members whatever else holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    pub exclude_agent_ids: Option<Vec<AgentId>>,
    /// Whether it has members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
}

impl From<AgentGroupView> for AgentGroup {
    fn from(AgentGroupView { group, include_agent_ids, exclude_agent_ids }: AgentGroupView) -> Self {
        Self {
            id: group.id,
            name: group.name,
            description: group.description,
            match_os: group.match_os,
            match_architecture: group.match_architecture,
            match_ip_cidr: group.match_ip_cidr.map(|network| network.to_string()).unwrap_or_default(),
            match_version: group.match_version,
            include_agent_ids,
            exclude_agent_ids,
            enabled: group.enabled,
            created_at: group.created_at,
            updated_at: group.updated_at,
        }
    }
}
