//! Listing profiles.

use async_trait::async_trait;

use crate::domain::Profile;
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists profiles, newest first.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<Profile>;
    const NAME: &'static str = "profile.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<Profile>, Error> {
        self.page.read(&cx.unit, Query::sorted(Profile::FIELDS.created_at.descending())).await
    }
}
