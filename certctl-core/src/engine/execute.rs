//! Running operations: access, fresh reads, one commit, and again when it came too late.

use std::sync::Arc;

use super::drain::Underway;
use super::finished::Finished;
use super::loops::{Loops, SEALING};
use super::{Engine, Precondition, once};
use crate::domain::{ApiKey, AuditEvent, Principal};
use crate::entity::{Entity, Mutable};
use crate::error::{Error, ErrorKind};
use crate::ops::{Context, Operation, allows};
use crate::storage::{ApplyError, Changes, Committed, StorageError, UnitOfWork};

/// Runs after the first when a commit came too late.
const RETRIES: u32 = 3;

impl Engine {
    /// Runs an operation for a principal and commits what it recorded, with its audit events, in one transaction.
    ///
    /// An operation that writes is finished by a task of its own when its caller goes away: nothing is cut in half. A commit that
    /// came too late is repeated with fresh reads, at most three times.
    ///
    /// # Errors
    /// `forbidden` when the principal's role may not; else what the operation or the store refuses.
    pub async fn execute<O: Operation>(&self, principal: &Principal, operation: O) -> Result<O::Output, Error> {
        self.execute_if(principal, operation, None).await
    }

    /// The same, if a record is still what the caller has seen: looked at before the operation runs, and held until it is
    /// committed.
    ///
    /// # Errors
    /// `precondition_failed`; and those of [`execute`](Self::execute).
    pub async fn execute_if<O: Operation>(
        &self,
        principal: &Principal,
        operation: O,
        condition: Option<Precondition>,
    ) -> Result<O::Output, Error> {
        Ok(self.conduct(principal, operation, Around { condition, table: None }).await?.0)
    }

    /// The same for an operation that writes one record of a kind; gives the version that is stored of it then, which is its
    /// `ETag`.
    ///
    /// # Errors
    /// Those of [`execute_if`](Self::execute_if).
    pub async fn execute_tagged<E: Mutable, O: Operation>(
        &self,
        principal: &Principal,
        operation: O,
        condition: Option<Precondition>,
    ) -> Result<(O::Output, Option<i64>), Error> {
        self.conduct(principal, operation, Around { condition, table: Some(E::SCHEMA.table) }).await
    }

    async fn conduct<O: Operation>(
        &self,
        principal: &Principal,
        operation: O,
        around: Around,
    ) -> Result<(O::Output, Option<i64>), Error> {
        if !allows(O::ACCESS, principal.role) {
            let message = format!("a key of role {} may not do this ({})", principal.role, O::NAME);
            return Err(Error::forbidden(message).during(O::NAME));
        }
        if !O::WRITES {
            self.reads().note(principal, O::NAME, operation.subject());
            return self.attempt(principal, &operation, &around).await.map_err(|error| error.during(O::NAME));
        }
        let (engine, principal) = (self.clone(), principal.clone());
        let underway = Underway::begin(self);
        let work = async move {
            let result = engine.repeat(&principal, &operation, &around).await.map_err(|error| error.during(O::NAME));
            // First let go, then answer: whoever has the answer may close the store.
            drop((engine, principal, operation, underway));
            result
        };
        Finished::new(Box::pin(work), Arc::clone(&self.ports().spawner)).await
    }

    async fn repeat<O: Operation>(
        &self,
        principal: &Principal,
        operation: &O,
        around: &Around,
    ) -> Result<(O::Output, Option<i64>), Error> {
        let mut tries = 0;
        loop {
            match self.attempt(principal, operation, around).await {
                Err(error) if tries < RETRIES && passes::<O>(&error) => tries += 1,
                result => return result,
            }
        }
    }

    async fn attempt<O: Operation>(
        &self,
        principal: &Principal,
        operation: &O,
        around: &Around,
    ) -> Result<(O::Output, Option<i64>), Error> {
        let unit = UnitOfWork::begin(self.storage()).await?;
        let unit = if O::AUDITED { unit } else { unit.bookkeeping() };
        let mut unit = unit;
        if let Some(condition) = &around.condition {
            condition.hold(&mut unit).await?;
        }
        let mut cx = Context { engine: self, principal, unit };
        let output = operation.run(&mut cx).await?;
        let mut version = None;
        if O::WRITES {
            if let Some(call) = &principal.call {
                once::note(&mut cx.unit, call).await?;
            }
            version = around.table.and_then(|table| cx.unit.version_written(table));
            self.commit(cx.unit).await?;
        }
        Ok((output, version))
    }

    /// Commits a unit, then tells whoever it concerns.
    pub(crate) async fn commit(&self, unit: UnitOfWork) -> Result<(), ApplyError> {
        let changes = unit.into_changes();
        if changes.is_empty() {
            return Ok(());
        }
        let events = recorded(&changes);
        let concerned = Loops::concerned(&changes);
        let committed = self.storage().apply(changes).await.map_err(|error| self.0.rules.overtaken(error))?;
        self.publish(&committed);
        // The loops sleep until something is due; the first event after a look is.
        let first = self.trail().committed(&events);
        if first {
            self.0.loops.ask_by_name(SEALING);
        }
        if self.0.loops.ask(&concerned) || first {
            self.0.work.notify();
        }
        self.0.events.tell(events);
        Ok(())
    }

    /// Wakes whoever a commit concerns.
    fn publish(&self, committed: &Committed) {
        // Agents' credentials never change, and whether one is retired is looked up with each call: heartbeats need not
        // empty the cache.
        if committed.touches::<ApiKey>() {
            self.known_keys().clear();
        }
        self.0.rules.committed(committed);
        self.0.epochs.committed(committed);
        self.0.crls.committed(committed);
        self.0.ocsp.committed(committed);
        for hint in committed.hints.iter().filter(|hint| hint.topic == Self::AGENT_WORK) {
            if let Ok(agent) = hint.key.parse() {
                self.0.lookout.wake(&agent);
            }
        }
    }

    /// Another process may have committed: everything may have changed. Agents that wait are looked out for by the loops.
    pub(crate) fn publish_unknown(&self) {
        self.known_keys().clear();
        self.0.rules.clear();
        self.0.epochs.hear();
        self.0.crls.hear();
        self.0.lookout.hear();
    }
}

/// What surrounds a run of an operation.
struct Around {
    /// What must still be stored.
    condition: Option<Precondition>,
    /// The table of the record whose version is asked for.
    table: Option<&'static str>,
}

/// The audit events among the changes: what they tell is what happened.
fn recorded(changes: &Changes) -> Vec<AuditEvent> {
    let appended = changes.tables().filter(|table| table.schema.table == AuditEvent::SCHEMA.table);
    let rows = appended.flat_map(|table| &table.inserts);
    rows.filter_map(|row| AuditEvent::from_values(row.values.clone()).ok()).collect()
}

/// Whether fresh reads may help.
fn passes<O: Operation>(error: &Error) -> bool {
    let unavailable = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<StorageError>())
        .is_some_and(StorageError::is_retryable);
    let raced = O::RACES && error.code() == "already_exists";
    raced || error.code() == "changed_meanwhile" || (error.kind() == ErrorKind::Unavailable && unavailable)
}
