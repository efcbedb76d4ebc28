//! Listing certificates that were found.

use async_trait::async_trait;

use crate::domain::{AgentId, CertificateId, DiscoveredCertificate, DiscoveryStatus};
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Which are wanted; all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Found by this agent, or by the sentinel that stands for the server or a cloud.
    pub agent_id: Option<AgentId>,
    /// In this status.
    pub status: Option<DiscoveryStatus>,
    /// Those of this managed certificate.
    pub managed_certificate_id: Option<CertificateId>,
}

/// Lists certificates that were found, those that were seen last for the first time first.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which.
    pub filter: ListFilter,
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<DiscoveredCertificate>;
    const NAME: &'static str = "discovery.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Self::Output, Error> {
        let (fields, filter) = (DiscoveredCertificate::FIELDS, self.filter.clone());
        let conditions = [
            filter.agent_id.map(|value| fields.agent_id.equals(value)),
            filter.status.map(|value| fields.status.equals(value)),
            filter.managed_certificate_id.map(|value| fields.managed_certificate_id.equals(Some(value))),
        ];
        let sorted = Query::sorted(fields.first_seen_at.descending());
        self.page.read(&cx.unit, conditions.into_iter().flatten().fold(sorted, Query::filter)).await
    }
}
