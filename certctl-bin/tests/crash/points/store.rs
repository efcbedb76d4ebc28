//! A store with points around every read, write and claim.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::signal::Signal;
use certctl_core::storage::{
    ApplyError, Changes, Claim, Claimed, Committed, DueQuery, Fence, LeaseError, SealAudit, SealedAudit, Snapshot,
    Storage, StorageError, View,
};

use super::Points;

pub(crate) struct PointedStorage {
    pub(crate) inner: Arc<dyn Storage>,
    pub(crate) points: Points,
}

/// The name of a set of changes: what it is about, by the tables that it writes.
fn subject(changes: &Changes) -> &'static str {
    let writes = |table: &str| changes.tables().any(|t| t.schema.table == table && !t.writes_nothing());
    match () {
        () if writes("certificate_versions") => "issue",
        () if writes("authorities") => "authority",
        () if writes("managed_certificates") && writes("jobs") => "renew",
        () if writes("jobs") => "job",
        () => "other",
    }
}

#[async_trait]
impl Storage for PointedStorage {
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        self.points.around("read", self.inner.read(view)).await
    }
    async fn apply(&self, changes: Changes) -> Result<Committed, ApplyError> {
        let name = format!("commit.{}", subject(&changes));
        self.points.around(&name, self.inner.apply(changes)).await
    }
    async fn claim(&self, claim: Claim) -> Result<Claimed, StorageError> {
        let of_agent = claim.partitions.iter().any(|(partition, _)| partition.starts_with("agent:"));
        let claimed = self.inner.claim(claim).await?;
        if !claimed.rows.is_empty() {
            self.points.pass(if of_agent { "claim.deployment.after" } else { "claim.issue.after" });
        }
        Ok(claimed)
    }
    async fn prolong(&self, fence: Fence, lease: Duration) -> Result<(), LeaseError> {
        self.inner.prolong(fence, lease).await
    }
    async fn next_due(&self, query: &DueQuery) -> Result<Option<Duration>, StorageError> {
        self.inner.next_due(query).await
    }
    async fn seal_audit(&self, seal: SealAudit) -> Result<SealedAudit, StorageError> {
        self.inner.seal_audit(seal).await
    }
    fn changed(&self) -> Option<Signal> {
        self.inner.changed()
    }
}
