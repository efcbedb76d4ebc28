//! Running operations: access, fresh reads, one commit, and again when it came too late.

use std::sync::Arc;

use super::drain::Underway;
use super::finished::Finished;
use super::wake::concerns_loops;
use super::{Engine, Precondition};
use crate::domain::{ApiKey, AuditEvent, Principal};
use crate::entity::Entity;
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
        if !allows(O::ACCESS, principal.role) {
            let message = format!("a key of role {} may not do this ({})", principal.role, O::NAME);
            return Err(Error::forbidden(message).during(O::NAME));
        }
        if !O::WRITES {
            self.reads().note(principal, O::NAME, operation.subject());
            return self
                .attempt(principal, &operation, condition.as_ref())
                .await
                .map_err(|error| error.during(O::NAME));
        }
        let (engine, principal) = (self.clone(), principal.clone());
        let underway = Underway::begin(self);
        let work = async move {
            let result =
                engine.repeat(&principal, &operation, condition.as_ref()).await.map_err(|error| error.during(O::NAME));
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
        condition: Option<&Precondition>,
    ) -> Result<O::Output, Error> {
        let mut tries = 0;
        loop {
            match self.attempt(principal, operation, condition).await {
                Err(error) if tries < RETRIES && passes(&error) => tries += 1,
                result => return result,
            }
        }
    }

    async fn attempt<O: Operation>(
        &self,
        principal: &Principal,
        operation: &O,
        condition: Option<&Precondition>,
    ) -> Result<O::Output, Error> {
        let unit = UnitOfWork::begin(self.storage()).await?;
        let unit = if O::AUDITED { unit } else { unit.bookkeeping() };
        let mut unit = unit;
        if let Some(condition) = condition {
            condition.hold(&mut unit).await?;
        }
        let mut cx = Context { engine: self, principal, unit };
        let output = operation.run(&mut cx).await?;
        if O::WRITES {
            self.commit(cx.unit).await?;
        }
        Ok(output)
    }

    /// Commits a unit, then tells whoever it concerns.
    pub(crate) async fn commit(&self, unit: UnitOfWork) -> Result<(), ApplyError> {
        let horizon = unit.now() + self.cadence().poll;
        let changes = unit.into_changes();
        if changes.is_empty() {
            return Ok(());
        }
        let events = recorded(&changes);
        let wakes = concerns_loops(&changes, horizon);
        let committed = self.storage().apply(changes).await.map_err(|error| self.0.rules.overtaken(error))?;
        self.publish(&committed);
        // The loops sleep until something is due; the first event after a look is.
        if self.trail().committed(&events) || wakes {
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
        self.0.lookout.hear();
        self.0.work.notify();
    }
}

/// The audit events among the changes: what they tell is what happened.
fn recorded(changes: &Changes) -> Vec<AuditEvent> {
    let appended = changes.tables().filter(|table| table.schema.table == AuditEvent::SCHEMA.table);
    let rows = appended.flat_map(|table| &table.inserts);
    rows.filter_map(|row| AuditEvent::from_values(row.values.clone()).ok()).collect()
}

/// Whether fresh reads may help.
fn passes(error: &Error) -> bool {
    let unavailable = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<StorageError>())
        .is_some_and(StorageError::is_retryable);
    error.code() == "changed_meanwhile" || (error.kind() == ErrorKind::Unavailable && unavailable)
}
