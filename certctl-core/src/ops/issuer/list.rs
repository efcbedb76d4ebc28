//! Listing issuers.

use async_trait::async_trait;

use crate::domain::IssuerRecord;
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists issuers, newest first.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<IssuerRecord>;
    const NAME: &'static str = "issuer.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<IssuerRecord>, Error> {
        self.page.read(&cx.unit, Query::sorted(IssuerRecord::FIELDS.created_at.descending())).await
    }
}
