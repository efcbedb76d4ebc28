//! Reading one policy rule.

use async_trait::async_trait;

use crate::domain::{PolicyRule, PolicyRuleId};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads a policy rule.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: PolicyRuleId,
}

#[async_trait]
impl Operation for Get {
    type Output = Record<PolicyRule>;
    const NAME: &'static str = "policy.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Record<PolicyRule>, Error> {
        cx.unit.peek(self.id.as_str()).await?.ok_or_else(|| Error::not_found("policy rule", &self.id))
    }
}
