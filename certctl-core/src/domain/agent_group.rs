//! Groups of agents, by what they are and by name.

use super::{Agent, AgentGroupId, AgentGroupMemberId, AgentId, Cidr, Timestamp};
use crate::entity::Index;
use crate::{entity, text_enum};

entity! {
    /// A group of agents. Who is in it is decided when it is asked, by [`decide`](crate::decide::agent_group).
    pub struct AgentGroup in "agent_groups" as Mutable, fields AgentGroupFields {
        /// Its id.
        id: AgentGroupId,
        /// Unique; 1 to 255 characters.
        name: String,
        /// Free text.
        description: String,
        /// The operating system, in any case; empty for any.
        match_os: String,
        /// The architecture, in any case; empty for any.
        match_architecture: String,
        /// The network that the address lies in; absent for any.
        match_ip_cidr: Option<Cidr>,
        /// Exactly this version of the program; empty for any.
        match_version: String,
        /// Whether it has members.
        enabled: bool,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    indexes [
        Index::unique("agent_groups_name", &["name"]),
        Index::on("agent_groups_by_creation", &["created_at", "id"]),
    ]
    references []
}

text_enum! {
    /// What a group says of an agent that it names.
    pub enum MembershipType {
        /// It is no member, whatever else holds.
        Exclude = "exclude",
        /// It is a member, whatever it is.
        Include = "include",
    }
}

entity! {
    /// That a group names an agent.
    pub struct AgentGroupMember in "agent_group_members" as Mutable, fields AgentGroupMemberFields {
        /// Its id.
        id: AgentGroupMemberId,
        /// The group.
        agent_group_id: AgentGroupId,
        /// The agent.
        agent_id: AgentId,
        /// What the group says of it.
        membership_type: MembershipType,
    }
    indexes [
        Index::unique("agent_group_members_named", &["agent_group_id", "membership_type", "agent_id"]),
        Index::on("agent_group_members_agent", &["agent_id"]),
    ]
    references [agent_group_id -> AgentGroup, agent_id -> Agent]
}
