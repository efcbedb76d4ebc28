//! How many certificates were found, by what was made of them.

use async_trait::async_trait;

use crate::domain::{DiscoveredCertificate, DiscoveryStatus};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// Counts the certificates that were found by their status.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary;

/// How many there are of each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SummaryCounts {
    /// Nobody has said anything yet.
    pub unmanaged: u64,
    /// They belong to a managed certificate.
    pub managed: u64,
    /// Somebody said that they do not matter.
    pub dismissed: u64,
}

#[async_trait]
impl Operation for Summary {
    type Output = SummaryCounts;
    const NAME: &'static str = "discovery.summary";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<SummaryCounts, Error> {
        let of = |status| Query::all().filter(DiscoveredCertificate::FIELDS.status.equals(status));
        Ok(SummaryCounts {
            unmanaged: cx.unit.total(&of(DiscoveryStatus::Unmanaged)).await?,
            managed: cx.unit.total(&of(DiscoveryStatus::Managed)).await?,
            dismissed: cx.unit.total(&of(DiscoveryStatus::Dismissed)).await?,
        })
    }
}
