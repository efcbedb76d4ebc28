//! Listing credentials.

use async_trait::async_trait;

use crate::domain::AcmeEab;
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists credentials, newest first; their keys are not shown.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<AcmeEab>;
    const NAME: &'static str = "acme_eab.list";
    const ACCESS: Access = Access::ADMIN;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<AcmeEab>, Error> {
        self.page.read(&cx.unit, Query::sorted(AcmeEab::FIELDS.created_at.descending())).await
    }
}
