//! Policy rules and their violations.

use certctl_core::domain::{
    self, AgentGroupId, CertificateId, PolicyRuleId, PolicySeverity, PolicyType, PolicyViolationId, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::names;
use super::patch::{Patch, unless_empty, unless_null};

/// A rule that certificates are compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PolicyRule {
    /// Its id.
    #[schema(value_type = String)]
    pub id: PolicyRuleId,
    /// Its name.
    pub name: String,
    /// What it looks at.
    #[serde(rename = "type")]
    #[schema(value_type = names::PolicyType)]
    pub kind: PolicyType,
    /// What it asks for.
    #[schema(value_type = Object)]
    pub config: Value,
    /// Whether certificates are compared with it.
    pub enabled: bool,
    /// How bad a violation is.
    #[schema(value_type = names::PolicySeverity)]
    pub severity: PolicySeverity,
    /// Whether what violates it is refused, rather than noted.
    pub enforce: bool,
    /// The group of agents that it is for; absent for all certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub agent_group_id: Option<AgentGroupId>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// That a certificate violates a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyViolation {
    /// Its id.
    #[schema(value_type = String)]
    pub id: PolicyViolationId,
    /// The certificate.
    #[schema(value_type = String)]
    pub certificate_id: CertificateId,
    /// The rule.
    #[schema(value_type = String)]
    pub rule_id: PolicyRuleId,
    /// What does not fit and what would.
    pub message: String,
    /// How bad it is.
    #[schema(value_type = names::PolicySeverity)]
    pub severity: PolicySeverity,
    /// When it was first seen.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// Makes a policy rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreatePolicyRequest)]
pub struct CreatePolicy {
    /// An id of the client's choice; generated when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub id: Option<PolicyRuleId>,
    /// Unique.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// What it looks at.
    #[serde(rename = "type")]
    #[schema(value_type = names::PolicyType)]
    pub kind: PolicyType,
    /// What it asks for: `allowed_issuer_ids`, `allowed_domains`, `required_keys` or `allowed`, each a list of texts, or
    /// `lead_time_days` (30 when absent) or `max_days`, by its type. An unknown member is an error.
    #[serde(default, deserialize_with = "unless_null")]
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
    /// Whether certificates are compared with it; `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
    /// How bad a violation is; `Warning` when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<names::PolicySeverity>, nullable = false)]
    pub severity: Option<PolicySeverity>,
    /// Whether what violates it is refused, rather than noted.
    #[serde(default, deserialize_with = "unless_null")]
    pub enforce: bool,
    /// The group of agents that it is for: only certificates whose key one of its members holds are compared with it. All
    /// certificates when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub agent_group_id: Option<AgentGroupId>,
}

/// Changes the members that are given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = UpdatePolicyRequest)]
pub struct UpdatePolicy {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// Another type; the configuration must fit it.
    #[serde(default, rename = "type", deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<names::PolicyType>, nullable = false)]
    pub kind: Option<PolicyType>,
    /// A new configuration, as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub config: Option<Map<String, Value>>,
    /// Whether certificates are compared with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
    /// How bad a violation is.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<names::PolicySeverity>, nullable = false)]
    pub severity: Option<PolicySeverity>,
    /// Whether what violates it is refused, rather than noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enforce: Option<bool>,
    /// Another group of agents that it is for; null for all certificates.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    #[schema(value_type = Option<String>)]
    pub agent_group_id: Patch<AgentGroupId>,
}

impl From<domain::PolicyRule> for PolicyRule {
    fn from(rule: domain::PolicyRule) -> Self {
        Self {
            id: rule.id,
            name: rule.name,
            kind: rule.kind,
            config: rule.config.0,
            enabled: rule.enabled,
            severity: rule.severity,
            enforce: rule.enforce,
            agent_group_id: rule.agent_group_id,
            created_at: rule.created_at,
            updated_at: rule.updated_at,
        }
    }
}

impl From<domain::PolicyViolation> for PolicyViolation {
    fn from(violation: domain::PolicyViolation) -> Self {
        Self {
            id: violation.id,
            certificate_id: violation.certificate_id,
            rule_id: violation.rule_id,
            message: violation.message,
            severity: violation.severity,
            created_at: violation.created_at,
        }
    }
}
