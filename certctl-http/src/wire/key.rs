//! API keys.

use certctl_core::domain::{self, ApiKeyId, Role, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::patch::unless_empty;
use super::{Patch, names};

/// What is known of an API key; the key itself is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    /// Its id, which the audit trail names.
    #[schema(value_type = String)]
    pub id: ApiKeyId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    #[schema(value_type = names::Role)]
    pub role: Role,
    /// Whether it comes from the server's configuration and follows it: such a key is changed there.
    pub configured: bool,
    /// Whether it is refused.
    pub disabled: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub last_used_at: Option<Timestamp>,
    /// Since when it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub disabled_at: Option<Timestamp>,
    /// When it ends; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub expires_at: Option<Timestamp>,
}

/// Makes an API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateApiKeyRequest)]
pub struct CreateApiKey {
    /// An id of the client's choice; generated when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub id: Option<ApiKeyId>,
    /// Unique. A key of role `agent` acts for the agent whose id is this name.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    /// What it may do.
    #[schema(value_type = names::Role)]
    pub role: Role,
    /// When it ends; never when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub expires_at: Option<Timestamp>,
}

/// Changes the members that are given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UpdateApiKeyRequest)]
pub struct UpdateApiKey {
    /// Unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 128, nullable = false)]
    pub name: Option<String>,
    /// What it may do from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<names::Role>, nullable = false)]
    pub role: Option<Role>,
    /// `true` to refuse it from now on, `false` to accept it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub disabled: Option<bool>,
    /// When it ends; `null` or an empty text for never.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Patch<Timestamp>,
}

impl From<domain::ApiKey> for ApiKey {
    fn from(key: domain::ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            role: key.role,
            configured: key.configured,
            disabled: key.disabled_at.is_some(),
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            disabled_at: key.disabled_at,
            expires_at: key.expires_at,
        }
    }
}
