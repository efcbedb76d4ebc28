//! Deleting a policy rule.

use async_trait::async_trait;
use serde_json::json;

use super::violations_of;
use crate::domain::{AuditAction, PolicyRule, PolicyRuleId};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Deletes a policy rule, and with it what violates it.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Which.
    pub id: PolicyRuleId,
}

#[async_trait]
impl Operation for Delete {
    type Output = ();
    const NAME: &'static str = "policy.delete";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<PolicyRule>(self.id.as_str()).await?;
        let rule = found.ok_or_else(|| Error::not_found("policy rule", &self.id))?;
        let violations = violations_of(&cx.unit, &self.id).await?;
        for violation in &violations {
            cx.unit.delete(violation);
        }
        cx.unit.delete(&rule);
        let details = json!({ "name": rule.name, "violations": violations.len() });
        cx.audit(AuditAction::PolicyRuleDeleted, ("policy_rule", self.id.as_str()), details);
        Ok(())
    }
}
