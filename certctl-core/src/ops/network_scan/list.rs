//! Listing targets of network searches.

use async_trait::async_trait;

use crate::domain::NetworkScanTarget;
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists targets, newest first.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<NetworkScanTarget>;
    const NAME: &'static str = "network_scan.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Self::Output, Error> {
        self.page.read(&cx.unit, Query::sorted(NetworkScanTarget::FIELDS.created_at.descending())).await
    }
}
