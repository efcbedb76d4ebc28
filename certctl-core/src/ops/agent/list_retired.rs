//! Listing retired agents.

use async_trait::async_trait;

use crate::domain::Agent;
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists agents that are retired, those that retired last first.
#[derive(Clone, Debug, Default)]
pub struct ListRetired {
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for ListRetired {
    type Output = Listed<Agent>;
    const NAME: &'static str = "agent.list_retired";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<Agent>, Error> {
        let fields = Agent::FIELDS;
        // Nothing changes an agent after its retirement, and lists are not sorted by a column that may be null.
        let retired = Query::sorted(fields.updated_at.descending()).filter(fields.retired_at.is_set());
        self.page.read(&cx.unit, retired).await
    }
}
