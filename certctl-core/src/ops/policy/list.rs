//! Listing policy rules.

use async_trait::async_trait;

use crate::domain::PolicyRule;
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists policy rules, newest first.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<PolicyRule>;
    const NAME: &'static str = "policy.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<PolicyRule>, Error> {
        self.page.read(&cx.unit, Query::sorted(PolicyRule::FIELDS.created_at.descending())).await
    }
}
