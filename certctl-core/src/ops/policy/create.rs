//! Creating a policy rule.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::check_config;
use crate::domain::{AgentGroupId, AuditAction, PolicyRule, PolicyRuleId, PolicySeverity, PolicyType};
use crate::entity::Json;
use crate::error::Error;
use crate::ops::{Access, Context, Operation, check};
use crate::storage::Query;

/// Creates a policy rule. Certificates are compared with it when they are created, changed or issued from now on.
#[derive(Clone, Debug)]
pub struct Create {
    /// Kept when given.
    pub id: Option<PolicyRuleId>,
    /// Unique; 1 to 255 characters.
    pub name: String,
    /// What it looks at.
    pub kind: PolicyType,
    /// What it asks for: an object with the one member of its type.
    pub config: Value,
    /// Whether certificates are compared with it.
    pub enabled: bool,
    /// How bad a violation is.
    pub severity: PolicySeverity,
    /// Whether what violates it is refused.
    pub enforce: bool,
    /// The group of agents that it is for; absent for all certificates.
    pub agent_group_id: Option<AgentGroupId>,
}

#[async_trait]
impl Operation for Create {
    type Output = PolicyRule;
    const NAME: &'static str = "policy.create";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<PolicyRule, Error> {
        check::name("/name", &self.name, 255)?;
        check_config(self.kind, &self.config)?;
        if cx.unit.total(&Query::<PolicyRule>::all()).await? >= PolicyRule::MOST as u64 {
            let message =
                format!("there are {} policy rules, and no more are kept; delete some first", PolicyRule::MOST);
            return Err(Error::conflict("too_many_rules", message));
        }
        let id = self.id.clone().unwrap_or_else(|| PolicyRuleId::generate(&*cx.ports().clock, &*cx.ports().rng));
        let now = cx.now();
        let rule = PolicyRule {
            id,
            name: self.name.clone(),
            kind: self.kind,
            config: Json(if self.config.is_null() { json!({}) } else { self.config.clone() }),
            enabled: self.enabled,
            severity: self.severity,
            enforce: self.enforce,
            agent_group_id: self.agent_group_id.clone(),
            created_at: now,
            updated_at: now,
        };
        cx.unit.insert(rule.clone());
        let details = json!({
            "name": rule.name, "type": rule.kind, "config": rule.config.0, "enabled": rule.enabled,
            "severity": rule.severity, "enforce": rule.enforce, "agent_group_id": rule.agent_group_id,
        });
        cx.audit(AuditAction::PolicyRuleCreated, ("policy_rule", rule.id.as_str()), details);
        Ok(rule)
    }
}
