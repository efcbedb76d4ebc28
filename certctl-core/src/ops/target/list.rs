//! Listing targets.

use async_trait::async_trait;

use crate::domain::TargetRecord;
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists targets, newest first. Those that retired with their agent are left out.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<TargetRecord>;
    const NAME: &'static str = "target.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<TargetRecord>, Error> {
        let fields = TargetRecord::FIELDS;
        let live = Query::sorted(fields.created_at.descending()).filter(fields.retired_at.is_null());
        self.page.read(&cx.unit, live).await
    }
}
