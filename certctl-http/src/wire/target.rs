//! Deployment targets.

use certctl_core::domain::{AgentId, ConfigSource, TargetId, TargetRecord, TestStatus, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::names;
use super::patch::{unless_empty, unless_null};

/// A place that certificates are deployed to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentTarget {
    /// Its id.
    #[schema(value_type = String)]
    pub id: TargetId,
    /// Its name.
    pub name: String,
    /// The kind of target.
    #[serde(rename = "type")]
    #[schema(value_type = names::TargetType)]
    pub kind: String,
    /// The agent that deploys to it.
    #[schema(value_type = String)]
    pub agent_id: AgentId,
    /// Its configuration; secrets are shown as `********`.
    #[schema(value_type = Object)]
    pub config: Value,
    /// Whether it is deployed to.
    pub enabled: bool,
    /// Whether it shows its certificates to servers as a client (mutual TLS): a new version without clientAuth is not deployed to it
    /// until somebody accepts that.
    pub client_auth: bool,
    /// How the last connection test ended: `untested`, `success` or `failed`.
    #[schema(value_type = String)]
    pub test_status: TestStatus,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub last_tested_at: Option<Timestamp>,
    /// Where it comes from: `database` or `env`.
    #[schema(value_type = String)]
    pub source: ConfigSource,
    /// When it was retired with its agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub retired_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retired_reason: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// Makes a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateTargetRequest)]
pub struct CreateTarget {
    /// An id of the client's choice; generated when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub id: Option<TargetId>,
    /// Unique among the agent's targets.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// The kind of target, by its name or an alias, in any case.
    #[serde(rename = "type")]
    #[schema(value_type = names::TargetType)]
    pub kind: String,
    /// The agent that deploys to it.
    #[schema(value_type = String)]
    pub agent_id: AgentId,
    /// Its configuration. An unknown member is an error.
    #[serde(default, deserialize_with = "unless_null")]
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
    /// Whether it is deployed to; `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
    /// Whether it shows its certificates to servers as a client (mutual TLS); `false` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub client_auth: Option<bool>,
}

/// Changes the members that are given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = UpdateTargetRequest)]
pub struct UpdateTarget {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// A new configuration. A secret sent as `********` keeps the stored value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub config: Option<Map<String, Value>>,
    /// Another agent that deploys to it from now on.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub agent_id: Option<AgentId>,
    /// Whether it is deployed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
    /// Whether it shows its certificates to servers as a client (mutual TLS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub client_auth: Option<bool>,
}

impl From<TargetRecord> for DeploymentTarget {
    fn from(target: TargetRecord) -> Self {
        Self {
            id: target.id,
            name: target.name,
            kind: target.kind,
            agent_id: target.agent_id,
            config: target.shown_config.0,
            enabled: target.enabled,
            client_auth: target.client_auth,
            test_status: target.test_status,
            last_tested_at: target.last_tested_at,
            source: target.source,
            retired_at: target.retired_at,
            retired_reason: target.retired_reason,
            created_at: target.created_at,
            updated_at: target.updated_at,
        }
    }
}
