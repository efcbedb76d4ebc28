//! Noting how issuers fare, beside the jobs: what an order came to is stored with the job, whatever becomes of this.

use serde_json::json;

use crate::connector::ConnectorError;
use crate::decide::breaker::{self, BreakerState, FailedOrder};
use crate::domain::{AuditAction, IssuerHealth, IssuerId, Principal, Timestamp};
use crate::engine::Engine;
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::storage::UnitOfWork;

/// Attempts at a row that others write at the same moment.
const ATTEMPTS: usize = 5;

/// An order failed.
pub(crate) async fn failed(engine: &Engine, issuer: &IssuerId, error: &ConnectorError) {
    let text = error.explained();
    let order = FailedOrder { kind: error.kind, error: &text, retry_after: error.retry_after };
    note(engine, issuer, |before, now| breaker::failed(before, order, now)).await;
}

/// An order succeeded. Asks the store only where the issuer is known to have failed before.
pub(crate) async fn succeeded(engine: &Engine, issuer: &IssuerId, known: Option<&IssuerHealth>) {
    let now = Timestamp::NEVER;
    if known.is_some_and(|health| breaker::succeeded(health, now).is_some()) {
        note(engine, issuer, breaker::succeeded).await;
    }
}

async fn note(engine: &Engine, issuer: &IssuerId, change: impl Fn(&IssuerHealth, Timestamp) -> Option<IssuerHealth>) {
    for _ in 0..ATTEMPTS {
        match attempt(engine, issuer, &change).await {
            Ok(()) => return,
            Err(error) if error.code() == "changed_meanwhile" || error.code() == "already_exists" => {}
            Err(error) => {
                tracing::warn!(issuer = %issuer, error = %error, "how an issuer fares was not noted");
                return;
            }
        }
    }
}

async fn attempt(
    engine: &Engine,
    issuer: &IssuerId,
    change: &impl Fn(&IssuerHealth, Timestamp) -> Option<IssuerHealth>,
) -> Result<(), Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let now = unit.now();
    let found = unit.get::<IssuerHealth>(issuer.as_str()).await?;
    let before = found.as_deref().cloned().unwrap_or_else(|| breaker::unknown(issuer));
    let Some(after) = change(&before, now) else { return Ok(()) };
    tell(engine, &mut unit, &before, &after);
    match found {
        Some(mut record) => {
            *record = after;
            unit.update(record);
        }
        None => unit.insert(after),
    }
    Ok(engine.commit(unit.bookkeeping()).await?)
}

/// A breaker that opens or closes is an event.
fn tell(engine: &Engine, unit: &mut UnitOfWork, before: &IssuerHealth, after: &IssuerHealth) {
    let now = unit.now();
    let action = match (before.open_until, after.open_until) {
        (Some(_), None) => AuditAction::IssuerBreakerClosed,
        (before, Some(after)) if before != Some(after) => AuditAction::IssuerBreakerOpened,
        _ => return,
    };
    let state = breaker::state(Some(after), now);
    let details = json!({
        "state": state, "failures": after.failures, "error": after.last_error,
        "open_until": after.open_until.filter(|_| state == BreakerState::Open),
    });
    unit.append(audit_event(engine, &Principal::system(), now, action, ("issuer", after.id.as_str()), details));
}
