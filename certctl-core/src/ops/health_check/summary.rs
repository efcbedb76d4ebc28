//! How many endpoints do how.

use async_trait::async_trait;

use crate::domain::{HealthCheck, HealthStatus};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// Counts the health checks by status.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary;

/// How many endpoints do how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HealthSummary {
    /// What should be served is served.
    pub healthy: u64,
    /// Several probes in a row failed.
    pub degraded: u64,
    /// Many did.
    pub down: u64,
    /// Something else is served.
    pub cert_mismatch: u64,
    /// Never probed.
    pub unknown: u64,
}

impl HealthSummary {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.healthy + self.degraded + self.down + self.cert_mismatch + self.unknown
    }
}

#[async_trait]
impl Operation for Summary {
    type Output = HealthSummary;
    const NAME: &'static str = "health_check.summary";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<HealthSummary, Error> {
        let mut summary = HealthSummary::default();
        for status in HealthStatus::ALL {
            let of = Query::<HealthCheck>::all().filter(HealthCheck::FIELDS.status.equals(*status));
            let count = match status {
                HealthStatus::Healthy => &mut summary.healthy,
                HealthStatus::Degraded => &mut summary.degraded,
                HealthStatus::Down => &mut summary.down,
                HealthStatus::CertMismatch => &mut summary.cert_mismatch,
                HealthStatus::Unknown => &mut summary.unknown,
            };
            *count = cx.unit.total(&of).await?;
        }
        Ok(summary)
    }
}
