//! Listing owners.

use async_trait::async_trait;

use crate::domain::Owner;
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists owners, newest first.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<Owner>;
    const NAME: &'static str = "owner.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<Owner>, Error> {
        self.page.read(&cx.unit, Query::sorted(Owner::FIELDS.created_at.descending())).await
    }
}
