//! Listing what violates a policy rule.

use async_trait::async_trait;

use crate::domain::{PolicyRule, PolicyRuleId, PolicyViolation};
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists the violations of a policy rule, newest first.
#[derive(Clone, Debug)]
pub struct Violations {
    /// Of which rule.
    pub id: PolicyRuleId,
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for Violations {
    type Output = Listed<PolicyViolation>;
    const NAME: &'static str = "policy.violations";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<PolicyViolation>, Error> {
        if cx.unit.peek::<PolicyRule>(self.id.as_str()).await?.is_none() {
            return Err(Error::not_found("policy rule", &self.id));
        }
        let fields = PolicyViolation::FIELDS;
        let of = Query::sorted(fields.created_at.descending()).filter(fields.rule_id.equals(self.id.clone()));
        self.page.read(&cx.unit, of).await
    }
}
