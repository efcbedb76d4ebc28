//! The witness, right above the store and below all faults: it writes the event log and checks what must hold at each
//! change, at a cost that depends on the change and not on the store.

mod certificates;
mod jobs;
mod log;
mod model;
mod notices;
mod rest;
mod revocations;

pub(super) use model::Model;
pub(super) use rest::Rest;
pub(super) use revocations::{HEARD, Said};

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::executor::Node;
use super::world::{Verdict, World};
use crate::domain::SCHEMAS;
use crate::ports::Clock;
use crate::storage::{
    ApplyError, Changes, Claim, Claimed, Committed, DueQuery, Fence, LeaseError, SealAudit, SealedAudit, Select,
    Snapshot, Storage, StorageError, View,
};
use crate::testing::ManualClock;

/// The witness.
pub(super) struct Recorder {
    inner: Arc<dyn Storage>,
    clock: ManualClock,
    verdict: Verdict,
    model: Mutex<Model>,
}

/// What the witness is told about the world.
pub(super) struct Setting {
    pub(super) clock: ManualClock,
    pub(super) verdict: Verdict,
    pub(super) world: Arc<World>,
    pub(super) keep_log: bool,
    /// Longest wait of what is due. Only a world without faults and with one engine can promise one.
    pub(super) promptness: Option<Duration>,
}

impl Recorder {
    pub(super) fn new(inner: Arc<dyn Storage>, setting: Setting) -> Self {
        let (clock, verdict) = (setting.clock.clone(), setting.verdict.clone());
        Self { inner, clock, verdict, model: Mutex::new(Model::new(setting)) }
    }

    pub(super) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that no store sees, such as a crash.
    pub(super) fn note(&self, text: &str) {
        self.line(text);
    }

    fn line(&self, text: &str) {
        self.model().log.line(format!("{} {text}", self.clock.monotonic().0));
    }

    pub(super) async fn read(&self, view: View) -> Result<Box<dyn Snapshot>, StorageError> {
        let snapshot = self.inner.read(view).await?;
        self.model().saw_time(snapshot.now());
        Ok(snapshot)
    }

    pub(super) async fn apply(&self, node: Node, changes: Changes) -> Result<Committed, ApplyError> {
        let result = self.inner.apply(changes.clone()).await;
        let mut model = self.model();
        match &result {
            Ok(_) => model.applied(node, &changes),
            Err(error) => model.refused(node, error),
        }
        result
    }

    pub(super) async fn claim(&self, node: Node, claim: Claim) -> Result<Claimed, StorageError> {
        let claimed = self.inner.claim(claim.clone()).await?;
        self.model().claimed(node, &claim, &claimed);
        Ok(claimed)
    }

    pub(super) async fn prolong(&self, node: Node, fence: Fence, lease: Duration) -> Result<(), LeaseError> {
        let result = self.inner.prolong(fence.clone(), lease).await;
        self.model().prolonged(node, &fence, lease, &result);
        result
    }

    pub(super) async fn seal_audit(&self, node: Node, seal: SealAudit) -> Result<SealedAudit, StorageError> {
        let sealed = self.inner.seal_audit(seal).await?;
        if let (rows @ 1.., Some(head)) = (sealed.rows, sealed.head) {
            self.line(&format!("n{} seals {rows} to {}", node.0, head.seq));
        }
        Ok(sealed)
    }

    pub(super) async fn next_due(&self, query: &DueQuery) -> Result<Option<Duration>, StorageError> {
        self.inner.next_due(query).await
    }

    /// Compares every row of the store with what was acknowledged. Costs as much as there is, so not at each change.
    pub(super) async fn sweep(&self) {
        for schema in SCHEMAS {
            let everything = Select {
                schema,
                tests: Vec::new(),
                sort: 0,
                descending: false,
                after: None,
                offset: 0,
                limit: usize::MAX,
            };
            let rows = match self.inner.read(View::Latest).await {
                Ok(view) if schema.mutable => view.select(&everything).await,
                Ok(view) => {
                    let count = view.count(&everything).await.unwrap_or(0);
                    self.model().compare_appended(schema, count);
                    continue;
                }
                Err(error) => Err(error),
            };
            match rows {
                Ok(rows) => self.model().compare(schema, &rows),
                Err(error) => self.verdict.broken(format!("the store cannot be swept: {error}")),
            }
        }
    }

    /// What is left undone in a quiet world.
    pub(super) fn at_rest(&self, rest: &Rest<'_>) {
        let undone = self.model().undone(rest);
        if let Some(first) = undone.first() {
            let mut text = format!("not at rest, {} left undone: {first}", undone.len());
            for more in undone.iter().skip(1).take(4) {
                let _ = write!(text, "; {more}");
            }
            self.verdict.broken(text);
        }
    }
}
