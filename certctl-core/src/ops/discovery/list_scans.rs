//! Listing searches for certificates.

use async_trait::async_trait;

use crate::domain::{AgentId, DiscoveryScan};
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists searches for certificates, newest first.
#[derive(Clone, Debug, Default)]
pub struct ListScans {
    /// Only those of this agent, or of the sentinel that stands for the server or a cloud.
    pub agent_id: Option<AgentId>,
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for ListScans {
    type Output = Listed<DiscoveryScan>;
    const NAME: &'static str = "discovery.list_scans";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Self::Output, Error> {
        let fields = DiscoveryScan::FIELDS;
        let condition = self.agent_id.clone().map(|value| fields.agent_id.equals(value));
        let sorted = Query::sorted(fields.started_at.descending());
        self.page.read(&cx.unit, condition.into_iter().fold(sorted, Query::filter)).await
    }
}
