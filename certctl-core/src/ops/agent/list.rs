//! Listing agents.

use async_trait::async_trait;

use crate::domain::{Agent, AgentStatus};
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists agents that are not retired, newest first.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Only those with this status.
    pub status: Option<AgentStatus>,
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<Agent>;
    const NAME: &'static str = "agent.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<Agent>, Error> {
        let fields = Agent::FIELDS;
        let live = Query::sorted(fields.registered_at.descending()).filter(fields.retired_at.is_null());
        // Sentinels are always online, so they have no heartbeat to compare.
        let since = cx.now() - Agent::HEARTBEAT * 3;
        let query = match self.status {
            None => live,
            Some(AgentStatus::Online) => live.filter(fields.last_heartbeat_at.at_least(since)),
            Some(AgentStatus::Offline) => {
                live.filter(fields.last_heartbeat_at.below(since)).filter(fields.sentinel.equals(false))
            }
            Some(AgentStatus::Degraded) => live.filter(fields.id.one_of([])),
        };
        self.page.read(&cx.unit, query).await
    }
}
