//! Asks CAs when they want to see their certificates renewed (RFC 9773), where they say so.
//!
//! When each question is due is stored, so that neither a restart nor a second engine asks more often. The questions are asked by
//! tasks, one at a time for each issuer: whatever a CA does with them, no other loop waits. A renewal never waits for an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::connector::{Issuer, SuggestedWindow};
use crate::decide::advice::{Unanswered, answered};
use crate::decide::replan::advised;
use crate::domain::{
    AuditAction, Certificate, IssuerId, IssuerRecord, Lifecycle, Principal, RenewalAdvice, RenewalInfoId,
    RenewalPolicy, Timestamp, Version, VersionId,
};
use crate::engine::{Engine, Underway};
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::Permit;
use crate::jobs::plan::replan_advised;
use crate::ops::context::audit_event;
use crate::ports::Monotonic;
use crate::storage::{ApplyError, Query, UnitOfWork, View};

/// So long questions that somebody took belong to him; then anybody asks them.
const TAKEN: Duration = Duration::from_mins(10);
/// Questions to an issuer that is being asked already wait so long.
const BUSY: Duration = Duration::from_mins(1);
/// Revoked certificates, and those of issuers that give no advice any more, are looked at again after this.
const RESTING: Duration = Duration::from_hours(24);
/// Attempts to store an answer beside somebody who writes the certificate at the same moment.
const ATTEMPTS: usize = 5;

/// Takes questions that are due and begins to ask them; gives how many.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    let asked_at = engine.ports().clock.monotonic();
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let (now, limit) = (unit.now(), engine.cadence().sweep_batch.max(1));
    let found = unit.list(earliest().limit(limit)).await?.records;
    let mut taken: BTreeMap<IssuerId, Vec<VersionId>> = BTreeMap::new();
    let mut free = BTreeMap::new();
    for mut advice in found.into_iter().filter(|advice| advice.next_check <= now) {
        let partition = partition(&advice.issuer_id);
        let free = *free.entry(advice.issuer_id.clone()).or_insert_with(|| Permit::is_unused(engine, &partition));
        if free {
            taken.entry(advice.issuer_id.clone()).or_default().push(advice.id.clone());
        }
        advice.next_check = now + if free { TAKEN } else { BUSY };
        unit.update(advice);
    }
    match engine.commit(unit.bookkeeping()).await {
        Ok(()) => {}
        // Another engine took some of them.
        Err(ApplyError::Stale { .. }) => return Ok(0),
        Err(error) => return Err(error.into()),
    }
    let count = taken.values().map(Vec::len).sum();
    for (issuer, versions) in taken {
        let permit = Permit::take(engine, &partition(&issuer));
        let (engine, underway) = (engine.clone(), Underway::begin(engine));
        let spawner = engine.ports().spawner.clone();
        spawner.spawn(Box::pin(async move {
            ask_all(&engine, &issuer, &versions, asked_at).await;
            drop((permit, underway));
        }));
    }
    Ok(count)
}

/// How long until a question is due.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let first = view.first(earliest()).await?;
    Ok(first.map(|advice| advice.next_check.since(view.now())))
}

fn earliest() -> Query<RenewalAdvice> {
    Query::sorted(RenewalAdvice::FIELDS.next_check.ascending())
}

fn partition(issuer: &IssuerId) -> String {
    format!("advice:{issuer}")
}

async fn ask_all(engine: &Engine, issuer: &IssuerId, versions: &[VersionId], asked_at: Monotonic) {
    for version in versions {
        if asked_at.until(engine.ports().clock.monotonic()) >= TAKEN * 9 / 10 {
            // They belong to nobody from now on.
            return;
        }
        match ask(engine, issuer, version).await {
            Ok(Asked::Answered) => {}
            // The others would fare no better; their turn comes when they belong to nobody any more.
            Ok(Asked::Unreachable) => return,
            Err(error) => {
                tracing::warn!(issuer = %issuer, error = %error, "advice about a renewal was not stored");
                return;
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Asked {
    Answered,
    Unreachable,
}

async fn ask(engine: &Engine, issuer: &IssuerId, version: &VersionId) -> Result<Asked, Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let Some(advice) = unit.get::<RenewalAdvice>(version.as_str()).await? else { return Ok(Asked::Answered) };
    let now = unit.now();
    match subject(&unit, &advice).await? {
        Subject::Gone => {
            unit.delete(&advice);
            return stored(engine, unit).await.map(|_| Asked::Answered);
        }
        Subject::Resting => return rest(engine, unit, advice, None).await,
        Subject::Current => {}
    }
    let live = live(engine, &unit, issuer).await?;
    let Some(role) = live.as_deref().and_then(Issuer::renewal_info) else {
        return rest(engine, unit, advice, Some("the issuer gives no advice about renewals any more")).await;
    };
    let Some(id) = renewal_info_id(&unit, &advice).await? else {
        unit.delete(&advice);
        return stored(engine, unit).await.map(|_| Asked::Answered);
    };
    drop(unit);
    let answer = role.suggest(&id).await;
    let asked = if answer.as_ref().is_err_and(|error| error.kind.is_retryable()) {
        Asked::Unreachable
    } else {
        Asked::Answered
    };
    let answer = answer.map_err(|error| Unanswered { error: error.explained(), retry_after: error.retry_after });
    for _ in 0..ATTEMPTS {
        if record(engine, version, now, &answer).await? {
            break;
        }
    }
    Ok(asked)
}

/// What became of the version that an advice is about.
enum Subject {
    /// It is the newest of its key holder, and in service.
    Current,
    /// Nothing renews it now; that may change.
    Resting,
    /// It was replaced or put away.
    Gone,
}

async fn subject(unit: &UnitOfWork, advice: &RenewalAdvice) -> Result<Subject, Error> {
    let Some(certificate) = unit.peek::<Certificate>(advice.certificate_id.as_str()).await? else {
        return Ok(Subject::Gone);
    };
    let fields = Version::FIELDS;
    let newest = Query::<Version>::sorted(fields.created_at.descending())
        .filter(fields.certificate_id.equals(advice.certificate_id.clone()))
        .filter(fields.key_holder.equals(advice.key_holder.clone()));
    let newest = unit.first(newest).await?;
    Ok(match certificate.lifecycle {
        _ if newest.is_none_or(|newest| newest.id != advice.id) => Subject::Gone,
        Lifecycle::Archived => Subject::Gone,
        Lifecycle::Issued => Subject::Current,
        Lifecycle::Failed | Lifecycle::Pending | Lifecycle::Revoked => Subject::Resting,
    })
}

async fn renewal_info_id(unit: &UnitOfWork, advice: &RenewalAdvice) -> Result<Option<RenewalInfoId>, Error> {
    let version = unit.peek::<Version>(advice.id.as_str()).await?;
    let facts = version.and_then(|version| crate::pki::certificate::parse(version.chain.leaf()).ok());
    Ok(facts.as_ref().and_then(RenewalInfoId::of))
}

async fn live(
    engine: &Engine,
    unit: &UnitOfWork,
    issuer: &IssuerId,
) -> Result<Option<std::sync::Arc<dyn Issuer>>, Error> {
    let record = unit.peek::<IssuerRecord>(issuer.as_str()).await?.filter(|issuer| issuer.enabled);
    Ok(record.and_then(|record| engine.issuer(&record).ok()))
}

async fn rest(
    engine: &Engine,
    mut unit: UnitOfWork,
    mut advice: Record<RenewalAdvice>,
    why: Option<&str>,
) -> Result<Asked, Error> {
    advice.next_check = unit.now() + RESTING;
    advice.last_error = why.map(ToOwned::to_owned);
    unit.update(advice);
    stored(engine, unit).await.map(|_| Asked::Answered)
}

/// Stores an answer, and plans the certificate anew where it changes when that is due. False when somebody else wrote the
/// certificate meanwhile.
async fn record(
    engine: &Engine,
    version: &VersionId,
    asked_at: Timestamp,
    answer: &Result<SuggestedWindow, Unanswered>,
) -> Result<bool, Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let Some(mut row) = unit.get::<RenewalAdvice>(version.as_str()).await? else { return Ok(true) };
    let before = RenewalAdvice::clone(&row);
    if before.checked_at.is_some_and(|checked| checked > asked_at) {
        // Somebody asked later.
        return Ok(true);
    }
    let after = answered(&before, answer.as_ref(), unit.now(), engine.ports().rng.next_u64());
    let moved = (before.window_start, before.window_end) != (after.window_start, after.window_end);
    let renew_at = if moved { plan(engine, &mut unit, &before, &after).await? } else { None };
    if moved {
        let details = json!({
            "version_id": after.id, "window_start": after.window_start, "window_end": after.window_end,
            "selected_at": after.selected_at, "explanation_url": after.explanation_url, "renew_at": renew_at,
        });
        let about = ("certificate", after.certificate_id.as_str());
        let (me, now) = (Principal::system(), unit.now());
        unit.append(audit_event(engine, &me, now, AuditAction::RenewalAdvised, about, details));
    }
    *row = after;
    unit.update(row);
    stored(engine, unit).await
}

/// Plans the certificate anew where the advice makes a difference; gives the new moment. What the policy renews earlier anyway
/// stays as it is.
async fn plan(
    engine: &Engine,
    unit: &mut UnitOfWork,
    before: &RenewalAdvice,
    after: &RenewalAdvice,
) -> Result<Option<Timestamp>, Error> {
    let Some(mut certificate) = unit.get::<Certificate>(after.certificate_id.as_str()).await? else { return Ok(None) };
    if certificate.lifecycle != Lifecycle::Issued || certificate.renewing || certificate.renew_at == Timestamp::NEVER {
        return Ok(None);
    }
    let old = advised(std::slice::from_ref(before));
    let new = advised(std::slice::from_ref(after));
    let counts = |at: Timestamp| at <= certificate.renew_at;
    if !old.is_some_and(|old| counts(old.selected)) && !new.is_some_and(|new| counts(new.selected)) {
        return Ok(None);
    }
    let Some(policy) = unit.peek::<RenewalPolicy>(certificate.renewal_policy_id.as_str()).await? else {
        return Ok(None);
    };
    replan_advised(engine, unit, &mut certificate, (&policy, after)).await?;
    let renew_at = certificate.renew_at;
    unit.update(certificate);
    Ok(Some(renew_at))
}

/// False when somebody was faster.
async fn stored(engine: &Engine, unit: UnitOfWork) -> Result<bool, Error> {
    match engine.commit(unit.bookkeeping()).await {
        Ok(()) => Ok(true),
        Err(ApplyError::Stale { .. } | ApplyError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
