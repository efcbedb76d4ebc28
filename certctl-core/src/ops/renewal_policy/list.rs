//! Listing renewal policies.

use async_trait::async_trait;

use crate::domain::RenewalPolicy;
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists renewal policies, newest first.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<RenewalPolicy>;
    const NAME: &'static str = "renewal_policy.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<RenewalPolicy>, Error> {
        self.page.read(&cx.unit, Query::sorted(RenewalPolicy::FIELDS.created_at.descending())).await
    }
}
