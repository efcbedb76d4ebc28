//! Reading one renewal policy.

use async_trait::async_trait;

use crate::domain::{RenewalPolicy, RenewalPolicyId};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads a renewal policy.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: RenewalPolicyId,
}

#[async_trait]
impl Operation for Get {
    type Output = Record<RenewalPolicy>;
    const NAME: &'static str = "renewal_policy.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Record<RenewalPolicy>, Error> {
        cx.unit.peek(self.id.as_str()).await?.ok_or_else(|| Error::not_found("renewal policy", &self.id))
    }
}
