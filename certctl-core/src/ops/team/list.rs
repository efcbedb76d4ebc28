//! Listing teams.

use async_trait::async_trait;

use crate::domain::Team;
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists teams, newest first.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<Team>;
    const NAME: &'static str = "team.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<Team>, Error> {
        self.page.read(&cx.unit, Query::sorted(Team::FIELDS.created_at.descending())).await
    }
}
