//! Who acts: API keys, roles, and the principal of a call.

use super::{ActorType, AgentId, ApiKeyId, EnrolTokenId, FirstCall, Timestamp};
use crate::entity::Index;
use crate::{entity, text_enum};

text_enum! {
    /// What a key may do (requirements D2).
    pub enum Role {
        /// All.
        Admin = "admin",
        /// Its own heartbeat, work, requests, pickup and reports.
        Agent = "agent",
        /// The audit trail and nothing else.
        Auditor = "auditor",
        /// Reads, and runs certificates.
        Operator = "operator",
        /// Reads.
        Viewer = "viewer",
    }
}

entity! {
    /// A named API key. The key itself is shown once and never stored.
    pub struct ApiKey in "api_keys" as Mutable, fields ApiKeyFields {
        /// Its id, which the audit trail names.
        id: ApiKeyId,
        /// Unique; what people call it.
        name: String,
        /// SHA-256 of the key, in lower-case hex.
        hash: String,
        /// What it may do.
        role: Role,
        /// Whether it comes from the server's configuration and follows it.
        configured: bool,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last used, to the minute.
        last_used_at: Option<Timestamp>,
        /// Since when it is refused.
        disabled_at: Option<Timestamp>,
        /// When it ends.
        expires_at: Option<Timestamp>,
    }
    indexes [
        Index::unique("api_keys_name", &["name"]),
        Index::unique("api_keys_hash", &["hash"]),
        Index::on("api_keys_by_creation", &["created_at", "id"]),
    ]
    references []
}

entity! {
    /// A token with which one agent enrols, once.
    pub struct EnrolToken in "enrol_tokens" as Mutable, fields EnrolTokenFields {
        /// Its id.
        id: EnrolTokenId,
        /// SHA-256 of the token, in lower-case hex.
        hash: String,
        /// The only id that may enrol with it; any when absent.
        agent_id: Option<AgentId>,
        /// Who made it.
        created_by: String,
        /// When it was made.
        created_at: Timestamp,
        /// When it ends.
        expires_at: Timestamp,
        /// When it was used.
        used_at: Option<Timestamp>,
    }
    indexes [Index::unique("enrol_tokens_hash", &["hash"])]
    references []
}

/// Who makes a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The id of the key or the agent, `system`, or the id that an embedder gives.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The agent it is, when it is one. `None` with the role [`Role::Agent`] may act for any agent: the
    /// `agent_auth = "shared"` mode of requirements C2.
    pub agent: Option<AgentId>,
    /// How the audit trail names its kind.
    pub actor_type: ActorType,
    /// The call that it makes under a name of its own, which is made once.
    pub call: Option<FirstCall>,
}

impl Principal {
    /// The engine itself.
    pub fn system() -> Self {
        Self {
            id: "system".into(),
            name: "system".into(),
            role: Role::Admin,
            agent: None,
            actor_type: ActorType::System,
            call: None,
        }
    }

    /// The program that embeds the engine and vouches for the call.
    pub fn embedder(name: impl Into<String>) -> Self {
        let name = name.into();
        Self { id: name.clone(), name, role: Role::Admin, agent: None, actor_type: ActorType::User, call: None }
    }

    /// A machine whose proof a protocol server has checked, such as `est:PROFILE:NAME`. It may do nothing but what asks for no
    /// role at all: what it is given, it is given by the server that let it in.
    pub fn machine(id: impl Into<String>) -> Self {
        let id = id.into();
        Self { name: id.clone(), id, role: Role::Viewer, agent: None, actor_type: ActorType::Machine, call: None }
    }

    /// An agent, by its own credential.
    pub fn agent(id: AgentId) -> Self {
        Self {
            id: id.to_string(),
            name: id.to_string(),
            role: Role::Agent,
            agent: Some(id),
            actor_type: ActorType::Agent,
            call: None,
        }
    }
}
