//! Seals the audit trail: gives rows their places in the chain, and signs how far it has come.
//!
//! There is one sealer at a time. What holds the others off is the store's lock for the time of one transaction, so a sealer
//! that dies leaves nothing to wait for, and what it had not committed is found unsealed by the next one.

use std::time::Duration;

use crate::audit::ExportLine;
use crate::domain::audit::{AuditCheckpoint, ChainHead};
use crate::domain::{AuditCheckpointId, AuditEvent};
use crate::engine::{Engine, Signed};
use crate::entity::Entity;
use crate::error::Error;
use crate::storage::{ApplyError, Changes, Query, SealAudit, View};

/// Passes in one sweep, so that other loops get their turn.
const PASSES: usize = 10;

/// Seals what is not sealed, and signs a checkpoint when one is due; gives how many rows were sealed.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    let now = engine.ports().clock.monotonic();
    if !engine.trail().looks(now, engine.cadence().seal) {
        return Ok(0);
    }
    let limit = engine.cadence().seal_batch;
    let mut rows = 0;
    let mut head = None;
    for pass in 1..=PASSES {
        let sealed = match engine.storage().seal_audit(SealAudit { events: AuditEvent::SCHEMA, limit }).await {
            Ok(sealed) => sealed,
            Err(error) => {
                engine.trail().leaves_some();
                return Err(error.into());
            }
        };
        rows += sealed.rows;
        if sealed.rows > 0 {
            engine.trail().sealed().notify();
        }
        head = sealed.head;
        if sealed.rows < u64::from(limit) {
            break;
        }
        if pass == PASSES {
            engine.trail().leaves_some();
        }
    }
    if let Some(head) = head {
        vouch(engine, head).await?;
    }
    Ok(usize::try_from(rows).unwrap_or(usize::MAX))
}

/// When there is something to seal or to sign, from now.
pub(crate) fn next_due(engine: &Engine) -> Option<Duration> {
    let (now, cadence) = (engine.ports().clock.monotonic(), engine.cadence());
    engine.trail().next_look(now, cadence.seal, cadence.checkpoint)
}

/// Signs a checkpoint if rows have been waiting for one long enough, or are many.
async fn vouch(engine: &Engine, head: ChainHead) -> Result<(), Error> {
    let trail = engine.trail();
    if trail.signed().is_none() {
        trail.knows(stored(engine).await?, false);
    }
    let signed = trail.signed();
    let behind = head.seq - signed.map_or(0, |signed| signed.seq);
    if behind <= 0 {
        trail.knows(None, false);
        return Ok(());
    }
    trail.knows(None, true);
    let (now, cadence) = (engine.ports().clock.monotonic(), engine.cadence());
    let waited = signed.is_none_or(|signed| now >= signed.at + cadence.checkpoint);
    if waited || behind >= cadence.checkpoint_rows {
        sign(engine, head).await?;
        trail.knows(Some(Signed { seq: head.seq, at: now }), false);
    }
    Ok(())
}

/// The newest checkpoint of the store.
async fn stored(engine: &Engine) -> Result<Option<Signed>, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let newest = view.first(Query::<AuditCheckpoint>::sorted(AuditCheckpoint::FIELDS.seq.descending())).await?;
    let age = newest.as_ref().map_or(Duration::ZERO, |newest| view.now().since(newest.signed_at));
    let now = engine.ports().clock.monotonic();
    // It may be older than this process's clock.
    let at = crate::ports::Monotonic(now.0.saturating_sub(u64::try_from(age.as_micros()).unwrap_or(u64::MAX)));
    let is_old = age >= engine.cadence().checkpoint;
    Ok(newest.map(|newest| Signed { seq: newest.seq, at: if is_old { crate::ports::Monotonic(0) } else { at } }))
}

async fn sign(engine: &Engine, head: ChainHead) -> Result<(), Error> {
    let signer = engine.checkpoint_key().await?;
    let signed_at = engine.storage().read(View::Latest).await?.now();
    let store = engine.trail().store.clone();
    let message = AuditCheckpoint::message(&store, head, signed_at);
    let ports = engine.ports();
    let checkpoint = AuditCheckpoint {
        id: AuditCheckpointId::generate(&*ports.clock, &*ports.rng),
        store,
        seq: head.seq,
        hash: head.hash.to_vec(),
        signed_at,
        key_id: AuditCheckpoint::key_id_of(signer.public_key()),
        public_key: signer.public_key().to_vec(),
        signature: signer.sign(&message).await.map_err(Error::internal)?,
    };
    // It is about the trail, so it is not in it: each would ask for the next.
    let mut changes = Changes::bookkeeping();
    changes.append(checkpoint.clone());
    match engine.storage().apply(changes).await {
        Ok(_) => {}
        // Another engine has signed this row.
        Err(ApplyError::Conflict { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    if let Some(path) = &engine.trail().checkpoint_file {
        let line = ExportLine::checkpoint(&checkpoint).to_text();
        // The trail is sealed and signed without it; the next checkpoint vouches for these rows as well.
        if let Err(error) = ports.files.append(path, line.as_bytes(), 0o644).await {
            tracing::error!(%error, "a checkpoint of the audit trail was not written outside of the database");
        }
    }
    Ok(())
}
