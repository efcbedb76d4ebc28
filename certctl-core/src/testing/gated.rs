//! A store behind a gate: a test decides what becomes of a read or a commit before the store hears of it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::signal::Signal;
use crate::storage::{
    ApplyError, Changes, Claim, Claimed, Committed, DueQuery, Fence, LeaseError, SealAudit, SealedAudit, Snapshot,
    Storage, StorageError, View,
};

/// Stands before a store. It may wait, refuse or panic; what it says nothing of passes.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Before a snapshot is taken.
    ///
    /// # Errors
    /// What the reader is told instead.
    async fn read(&self) -> Result<(), StorageError> {
        Ok(())
    }

    /// Before changes are applied.
    ///
    /// # Errors
    /// What the writer is told instead.
    async fn apply(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

/// A store behind a gate. Claims, leases and sealing pass.
pub struct GatedStorage<G> {
    inner: Arc<dyn Storage>,
    gate: G,
}

impl<G> std::fmt::Debug for GatedStorage<G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatedStorage").finish_non_exhaustive()
    }
}

impl<G: Gate> GatedStorage<G> {
    /// A store behind this gate.
    pub fn new(inner: Arc<dyn Storage>, gate: G) -> Self {
        Self { inner, gate }
    }

    /// The gate.
    pub fn gate(&self) -> &G {
        &self.gate
    }
}

#[async_trait]
impl<G: Gate> Storage for GatedStorage<G> {
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        self.gate.read().await?;
        self.inner.read(view).await
    }

    async fn apply(&self, changes: Changes) -> Result<Committed, ApplyError> {
        self.gate.apply().await?;
        self.inner.apply(changes).await
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StorageError> {
        self.inner.claim(claim).await
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
