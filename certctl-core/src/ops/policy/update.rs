//! Changing a policy rule.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{check_config, violations_of};
use crate::domain::{AgentGroupId, AuditAction, PolicyRule, PolicyRuleId, PolicySeverity, PolicyType};
use crate::error::Error;
use crate::ops::{Access, Context, Operation, check};

/// Changes what is given of a policy rule. What violated it is forgotten when it asks for something else from now on, or of
/// others, or for nothing: certificates are compared anew when they are next changed or issued.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// Which.
    pub id: Option<PolicyRuleId>,
    /// A new name.
    pub name: Option<String>,
    /// Another type; the configuration must fit it.
    pub kind: Option<PolicyType>,
    /// A new configuration, as a whole.
    pub config: Option<Value>,
    /// Whether certificates are compared with it.
    pub enabled: Option<bool>,
    /// How bad a violation is.
    pub severity: Option<PolicySeverity>,
    /// Whether what violates it is refused.
    pub enforce: Option<bool>,
    /// Another group of agents that it is for; `Some(None)` for all certificates.
    pub agent_group_id: Option<Option<AgentGroupId>>,
}

#[async_trait]
impl Operation for Update {
    type Output = PolicyRule;
    const NAME: &'static str = "policy.update";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<PolicyRule, Error> {
        let id = self.id.as_ref().ok_or_else(|| Error::invalid_field("/id", "required", "name the rule"))?;
        let found = cx.unit.get::<PolicyRule>(id.as_str()).await?;
        let mut rule = found.ok_or_else(|| Error::not_found("policy rule", id))?;
        let before = PolicyRule::clone(&rule);
        if let Some(name) = &self.name {
            check::name("/name", name, 255)?;
            rule.name.clone_from(name);
        }
        rule.kind = self.kind.unwrap_or(rule.kind);
        if let Some(config) = &self.config {
            rule.config.0 = if config.is_null() { json!({}) } else { config.clone() };
        }
        check_config(rule.kind, &rule.config)?;
        rule.enabled = self.enabled.unwrap_or(rule.enabled);
        rule.severity = self.severity.unwrap_or(rule.severity);
        rule.enforce = self.enforce.unwrap_or(rule.enforce);
        if let Some(group) = &self.agent_group_id {
            rule.agent_group_id.clone_from(group);
        }
        rule.updated_at = cx.now();
        self.keep_up(cx, &before, &rule).await?;
        let answer = PolicyRule::clone(&rule);
        let details = json!({
            "name": rule.name, "type": rule.kind, "config": rule.config.0, "enabled": rule.enabled,
            "severity": rule.severity, "enforce": rule.enforce, "agent_group_id": rule.agent_group_id,
        });
        cx.audit(AuditAction::PolicyRuleUpdated, ("policy_rule", id.as_str()), details);
        cx.unit.update(rule);
        Ok(answer)
    }
}

impl Update {
    /// The violations follow the rule.
    async fn keep_up(&self, cx: &mut Context<'_>, before: &PolicyRule, after: &PolicyRule) -> Result<(), Error> {
        let asks_the_same = before.kind == after.kind
            && before.config == after.config
            && before.agent_group_id == after.agent_group_id
            && after.enabled;
        if asks_the_same && before.severity == after.severity {
            return Ok(());
        }
        for mut violation in violations_of(&cx.unit, &after.id).await? {
            if asks_the_same {
                violation.severity = after.severity;
                cx.unit.update(violation);
            } else {
                cx.unit.delete(&violation);
            }
        }
        Ok(())
    }
}
