//! Listing API keys.

use async_trait::async_trait;

use crate::domain::ApiKey;
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists API keys, newest first.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<ApiKey>;
    const NAME: &'static str = "key.list";
    const ACCESS: Access = Access::ADMIN;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<ApiKey>, Error> {
        self.page.read(&cx.unit, Query::sorted(ApiKey::FIELDS.created_at.descending())).await
    }
}
