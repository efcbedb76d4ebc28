//! Between an engine and its store: latency, refusals, and answers lost after the deed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::Defect;
use super::executor::Node;
use super::link::Link;
use super::recorder::Recorder;
use super::sabotage::Saboteur;
use crate::domain::{Day, Timestamp};
use crate::entity::Row;
use crate::signal::Signal;
use crate::storage::{
    ApplyError, Changes, Claim, Claimed, Committed, DueQuery, Fence, LeaseError, SealAudit, SealedAudit, Select,
    Snapshot, Storage, StorageError, View,
};

/// Tells the engines that another one committed. A hint: it gets lost now and then.
#[derive(Clone, Default)]
pub(super) struct Bus(Arc<Mutex<BTreeMap<Node, Signal>>>);

impl Bus {
    /// The signal of a node that starts, and starts with a new one.
    pub(super) fn join(&self, node: Node) -> Signal {
        let signal = Signal::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(node, signal.clone());
        signal
    }

    fn committed(&self, by: Node) {
        let others: Vec<Signal> = {
            let signals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            signals.iter().filter(|(node, _)| **node != by).map(|(_, signal)| signal.clone()).collect()
        };
        others.iter().for_each(Signal::notify);
    }
}

/// The `Storage` of one engine.
pub(super) struct NodeStorage {
    pub(super) node: Node,
    pub(super) recorder: Arc<Recorder>,
    pub(super) link: Arc<Link>,
    pub(super) bus: Bus,
    /// Absent when there is no other engine.
    pub(super) changed: Option<Signal>,
    pub(super) saboteur: Saboteur,
}

impl NodeStorage {
    async fn cross(&self) -> Result<(), StorageError> {
        cross(&self.link).await
    }
}

async fn cross(link: &Link) -> Result<(), StorageError> {
    if link.cross().await { Ok(()) } else { Err(StorageError::unavailable("the connection to the store broke")) }
}

#[async_trait]
impl Storage for NodeStorage {
    async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        self.cross().await?;
        let inner = self.recorder.read(view).await?;
        Ok(Box::new(NodeSnapshot { inner, link: Arc::clone(&self.link), saboteur: self.saboteur.clone() }))
    }

    async fn apply(&self, changes: Changes) -> Result<Committed, ApplyError> {
        self.cross().await?;
        let changes = self.saboteur.spoil(&self.recorder, changes).await;
        let committed = self.recorder.apply(self.node, changes).await?;
        if !self.link.breaks_now() {
            self.bus.committed(self.node);
        }
        // A crash of the node here: applied, never acknowledged.
        self.cross().await?;
        Ok(committed)
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StorageError> {
        self.cross().await?;
        let claimed = self.recorder.claim(self.node, claim).await?;
        // Claimed, and nobody knows: the lease must run out.
        self.cross().await?;
        Ok(claimed)
    }

    async fn prolong(&self, fence: Fence, lease: Duration) -> Result<(), LeaseError> {
        let lies = self.saboteur.defect == Some(Defect::LeaseLies);
        let answer = match self.cross().await {
            Ok(()) => self.recorder.prolong(self.node, fence, lease).await,
            Err(error) => Err(error.into()),
        };
        if lies { Ok(()) } else { answer }
    }

    async fn next_due(&self, query: &DueQuery) -> Result<Option<Duration>, StorageError> {
        self.cross().await?;
        match self.saboteur.defect {
            Some(Defect::DueUnknown) => Ok(None),
            Some(Defect::AlwaysDue) => Ok(Some(Duration::ZERO)),
            _ => self.recorder.next_due(query).await,
        }
    }

    async fn seal_audit(&self, seal: SealAudit) -> Result<SealedAudit, StorageError> {
        self.cross().await?;
        let sealed = self.recorder.seal_audit(self.node, seal).await?;
        self.cross().await?;
        Ok(sealed)
    }

    fn changed(&self) -> Option<Signal> {
        self.changed.clone()
    }
}

struct NodeSnapshot {
    inner: Box<dyn Snapshot>,
    link: Arc<Link>,
    saboteur: Saboteur,
}

#[async_trait]
impl Snapshot for NodeSnapshot {
    async fn select(&self, select: &Select) -> Result<Vec<Row>, StorageError> {
        cross(&self.link).await?;
        if self.saboteur.overlooks(select) {
            return Ok(Vec::new());
        }
        let mut rows = self.inner.select(select).await?;
        self.saboteur.blind(select, &mut rows);
        Ok(rows)
    }
    async fn count(&self, select: &Select) -> Result<u64, StorageError> {
        cross(&self.link).await?;
        self.inner.count(select).await
    }
    async fn count_by_day(&self, select: &Select, column: usize) -> Result<BTreeMap<Day, u64>, StorageError> {
        cross(&self.link).await?;
        self.inner.count_by_day(select, column).await
    }
    fn now(&self) -> Timestamp {
        self.inner.now()
    }
}
