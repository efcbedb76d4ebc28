//! Listing the revocation lists that are published.

use async_trait::async_trait;

use crate::domain::Crl;
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists what was made of revocation lists, or why they could not be made.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for Cache {
    type Output = Listed<Crl>;
    const NAME: &'static str = "crl.cache";
    const ACCESS: Access = Access::ADMIN;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<Crl>, Error> {
        self.page.read(&cx.unit, Query::all()).await
    }
}
