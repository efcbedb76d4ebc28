//! Listing health checks.

use async_trait::async_trait;

use crate::domain::{CertificateId, HealthCheck, HealthStatus};
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Which health checks are wanted.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Those that do like this.
    pub status: Option<HealthStatus>,
    /// Those of this certificate.
    pub certificate_id: Option<CertificateId>,
    /// Those of this network scan target.
    pub network_scan_target_id: Option<String>,
    /// Those that are probed, or not.
    pub enabled: Option<bool>,
}

/// Lists health checks, newest first.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which.
    pub filter: ListFilter,
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<HealthCheck>;
    const NAME: &'static str = "health_check.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<HealthCheck>, Error> {
        let (fields, filter) = (HealthCheck::FIELDS, &self.filter);
        let conditions = [
            filter.status.map(|value| fields.status.equals(value)),
            filter.certificate_id.clone().map(|value| fields.certificate_id.equals(Some(value))),
            filter.network_scan_target_id.clone().map(|value| fields.network_scan_target_id.equals(Some(value))),
            filter.enabled.map(|value| fields.enabled.equals(value)),
        ];
        let sorted = Query::sorted(fields.created_at.descending());
        self.page.read(&cx.unit, conditions.into_iter().flatten().fold(sorted, Query::filter)).await
    }
}
