//! A store around another store, which counts what the engine commits.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use certctl_connectors::host::{HostConfig, ports};
use certctl_core::Engine;
use certctl_core::domain::{Principal, SCHEMAS};
use certctl_core::engine::SetupSecret;
use certctl_core::ops::certificate::Create;
use certctl_core::seal::SealingKey;
use certctl_core::signal::Signal;
use certctl_core::storage::{
    ApplyError, Changes, Claim, Claimed, Committed, DueQuery, Fence, LeaseError, MemoryStorage, SealAudit, SealedAudit,
    Snapshot, Storage, StorageError, View,
};
#[cfg(test)]
use certctl_core::testing::{ManualClock, block_on, storage::CASES};

struct Counting<S> {
    inner: S,
    commits: AtomicUsize,
}

#[async_trait]
impl<S: Storage> Storage for Counting<S> {
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        self.inner.read(view).await
    }
    async fn apply(&self, changes: Changes) -> Result<Committed, ApplyError> {
        let committed = self.inner.apply(changes).await?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        Ok(committed)
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

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let ports = ports(&HostConfig::default())?;
    let inner = MemoryStorage::new(SCHEMAS, ports.clock.clone());
    let storage = Arc::new(Counting { inner, commits: AtomicUsize::new(0) });
    let sealing = SetupSecret::Key(SealingKey::generate(&*ports.rng));
    let builder = Engine::builder(storage.clone(), ports, sealing).connectors(certctl_connectors::registry());
    let engine = builder.build().await?;
    engine.execute(&Principal::embedder("example"), Create::new("shop", "shop.example.com")).await?;
    println!("{} commits", storage.commits.load(Ordering::Relaxed));
    Ok(())
}

#[test]
fn it_keeps_the_contract_of_stores() -> Result<(), Box<dyn Error>> {
    for case in CASES {
        let inner = MemoryStorage::new(certctl_core::testing::storage::SCHEMAS, Arc::new(ManualClock::new()));
        block_on(case.run(Arc::new(Counting { inner, commits: AtomicUsize::new(0) })));
    }
    main()
}
