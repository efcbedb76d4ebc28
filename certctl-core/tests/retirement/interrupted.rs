//! A store in which something else happens right before one of its commits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::signal::Signal;
use certctl_core::storage::{
    ApplyError, Changes, Claim, Claimed, Committed, DueQuery, Fence, LeaseError, SealAudit, SealedAudit, Snapshot,
    Storage, StorageError, View,
};
use futures_util::future::BoxFuture;

/// What happens before the first commit, the second, and so on.
type Interruptions = VecDeque<Option<BoxFuture<'static, ()>>>;

pub(crate) struct Interrupted {
    inner: Arc<dyn Storage>,
    before: Mutex<Interruptions>,
}

impl Interrupted {
    pub(crate) fn new(inner: Arc<dyn Storage>) -> Self {
        Self { inner, before: Mutex::default() }
    }

    /// Lets this happen before the commit of that number, from 0.
    pub(crate) fn before(&self, commit: usize, what: BoxFuture<'static, ()>) {
        let mut before: Interruptions = (0..commit).map(|_| None).collect();
        before.push_back(Some(what));
        *self.before.lock().unwrap() = before;
    }

    /// Whether it has happened.
    pub(crate) fn happened(&self) -> bool {
        self.before.lock().unwrap().is_empty()
    }
}

#[async_trait]
impl Storage for Interrupted {
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        self.inner.read(view).await
    }
    async fn apply(&self, changes: Changes) -> Result<Committed, ApplyError> {
        let interruption = self.before.lock().unwrap().pop_front().flatten();
        if let Some(interruption) = interruption {
            interruption.await;
        }
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
