//! Listing jobs.

use async_trait::async_trait;

use crate::domain::{AgentId, CertificateId, Job, JobState, JobType, TargetId};
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Which jobs are wanted; all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// In this state.
    pub status: Option<JobState>,
    /// Of this type.
    pub kind: Option<JobType>,
    /// Of this certificate.
    pub certificate_id: Option<CertificateId>,
    /// For this target.
    pub target_id: Option<TargetId>,
    /// For this agent.
    pub agent_id: Option<AgentId>,
}

/// Lists jobs, newest first.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which.
    pub filter: ListFilter,
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<Job>;
    const NAME: &'static str = "job.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<Job>, Error> {
        let fields = Job::FIELDS;
        let filter = &self.filter;
        let conditions = [
            filter.status.map(|value| fields.state.equals(value)),
            filter.kind.map(|value| fields.kind.equals(value)),
            filter.certificate_id.clone().map(|value| fields.certificate_id.equals(value)),
            filter.target_id.clone().map(|value| fields.target_id.equals(Some(value))),
            filter.agent_id.clone().map(|value| fields.agent_id.equals(Some(value))),
        ];
        let sorted = Query::sorted(fields.created_at.descending());
        self.page.read(&cx.unit, conditions.into_iter().flatten().fold(sorted, Query::filter)).await
    }
}
