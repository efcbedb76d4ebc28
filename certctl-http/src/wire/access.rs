//! Who is asking.

use certctl_core::domain::{ActorType, AgentId, ApiKeyId, Role, Timestamp};
use certctl_core::ops;
use certctl_core::ports::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names;

/// How to authenticate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuthInfo {
    /// `api-key`, or `none` where everybody on this host is an administrator.
    pub auth_type: String,
    /// Whether a key is needed.
    pub required: bool,
}

/// Who the presented key belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuthCheck {
    /// Always `authenticated`.
    pub status: String,
    /// The key's name.
    pub user: String,
    /// Whether it may do everything.
    pub admin: bool,
    /// What it may do.
    #[schema(value_type = names::Role)]
    pub role: Role,
}

/// Who asks, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The id of the key or the agent, as the audit trail names it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    #[schema(value_type = names::Role)]
    pub role: Role,
    /// The agent that it is, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub agent: Option<AgentId>,
    /// What kind of actor the audit trail says it is.
    #[schema(value_type = names::ActorType)]
    pub actor_type: ActorType,
    /// The operations that its role may call, by their ids in this document. Agents may call theirs for themselves alone.
    pub operations: Vec<String>,
}

/// Makes the first administrator's key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = BootstrapRequest)]
pub struct Bootstrap {
    /// The setup token, from the server's standard error or the file `setup-token` in its data directory.
    #[schema(value_type = String, format = Password)]
    pub token: Secret,
    /// What people will call the key.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
}

/// A new key, shown this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedKey {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ApiKeyId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    #[schema(value_type = names::Role)]
    pub role: Role,
    /// When it ends; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub expires_at: Option<Timestamp>,
    /// The key itself: send it as `Authorization: Bearer …`.
    #[schema(value_type = String, format = Password)]
    pub key: Secret,
}

impl From<ops::access::CreatedKey> for CreatedKey {
    fn from(created: ops::access::CreatedKey) -> Self {
        let ops::access::CreatedKey { id, name, role, expires_at, key } = created;
        Self { id, name, role, expires_at, key }
    }
}
