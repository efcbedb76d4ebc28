//! Plans the renewals of certificates anew whose policy changed, a batch at a time.
//!
//! How far it came is stored in the commit of each batch, so that a crash repeats nothing and several engines do not get in
//! each other's way: of two that plan the same batch one is too late. Every certificate of the policy is written, also where
//! nothing changes: an issuance that began by the policy as it was is then too late as well, and begins again by the new one.

use std::time::Duration;

use crate::domain::{Certificate, CertificateId, Lifecycle, RenewalPolicy, Replan, Timestamp};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::plan::{Basis, facts, replan, replan_one};
use crate::storage::{ApplyError, Query, UnitOfWork, View};

/// Batches in one sweep, so that other loops get their turn.
const BATCHES: usize = 5;
/// Attempts at a certificate that others write at the same moment. Then the batch waits for the next sweep.
const ATTEMPTS: usize = 5;

/// What may be issued: the others are not renewed whatever the policy says.
const PLANNED: [Lifecycle; 3] = [Lifecycle::Pending, Lifecycle::Issued, Lifecycle::Failed];

/// Plans some batches; gives how many certificates.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    let mut planned = 0;
    for _ in 0..BATCHES {
        let view = engine.storage().read(View::Latest).await?;
        let due = view.first(due(view.now())).await?;
        drop(view);
        let Some(due) = due else { break };
        planned += batch(engine, &due).await?;
    }
    Ok(planned)
}

/// When the earliest of them begins, from now.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let now = view.now();
    let next = view.first(due(Timestamp(Timestamp::NEVER.0 - 1))).await?;
    Ok(next.map(|replan| replan.due_at.since(now)))
}

fn due(now: Timestamp) -> Query<Replan> {
    let fields = Replan::FIELDS;
    Query::sorted(fields.due_at.ascending()).filter(fields.due_at.below(Timestamp(now.0.saturating_add(1))))
}

/// All in one commit; each in its own when somebody writes one of them at the same moment.
async fn batch(engine: &Engine, found: &Record<Replan>) -> Result<usize, Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let Some(stored) = unit.get::<Replan>(found.id.as_str()).await? else { return Ok(0) };
    if stored.version() != found.version() {
        return Ok(0);
    }
    let Some(policy) = unit.peek::<RenewalPolicy>(found.id.as_str()).await? else {
        // Deleted, so no certificate keeps to it.
        unit.delete(&stored);
        return committed(engine, unit).await.map(|_| 0);
    };
    let (certificates, next) = members(engine, &unit, found).await?;
    let ids: Vec<CertificateId> = certificates.iter().map(|certificate| certificate.id.clone()).collect();
    let references: Vec<&Certificate> = certificates.iter().map(|certificate| &**certificate).collect();
    let facts = facts(engine, &unit, &references).await?;
    let now = unit.now();
    for (mut certificate, facts) in certificates.into_iter().zip(&facts) {
        replan(engine, &mut certificate, Basis { policy: &policy, facts, now });
        certificate.updated_at = now;
        unit.update(certificate);
    }
    advance(&mut unit, stored, next.clone());
    if !committed(engine, unit).await? {
        for id in &ids {
            if !one(engine, id, found).await? {
                return Ok(0);
            }
        }
        let mut unit = UnitOfWork::begin(engine.storage()).await?;
        let Some(stored) = unit.get::<Replan>(found.id.as_str()).await? else { return Ok(0) };
        if stored.version() != found.version() {
            return Ok(0);
        }
        advance(&mut unit, stored, next);
        if !committed(engine, unit).await? {
            return Ok(0);
        }
    }
    Ok(ids.len())
}

/// The certificates of the next batch, and the first one behind it.
async fn members(
    engine: &Engine,
    unit: &UnitOfWork,
    replan: &Replan,
) -> Result<(Vec<Record<Certificate>>, Option<CertificateId>), Error> {
    let (fields, limit) = (Certificate::FIELDS, engine.cadence().sweep_batch.max(1));
    let mut query = Query::<Certificate>::all()
        .filter(fields.renewal_policy_id.equals(replan.id.clone()))
        .filter(fields.lifecycle.one_of(PLANNED));
    if let Some(next) = &replan.next_id {
        query = query.filter(fields.id.at_least(next.clone()));
    }
    let mut certificates = unit.list(query.limit(limit + 1)).await?.records;
    let next = certificates.get(limit).map(|certificate| certificate.id.clone());
    certificates.truncate(limit);
    Ok((certificates, next))
}

/// False when somebody else has gone on with this policy, or keeps writing the certificate.
async fn one(engine: &Engine, id: &CertificateId, found: &Record<Replan>) -> Result<bool, Error> {
    for _ in 0..ATTEMPTS {
        let mut unit = UnitOfWork::begin(engine.storage()).await?;
        let stored = unit.get::<Replan>(found.id.as_str()).await?;
        if stored.is_none_or(|stored| stored.version() != found.version()) {
            return Ok(false);
        }
        let Some(mut certificate) = unit.get::<Certificate>(id.as_str()).await? else { return Ok(true) };
        if certificate.renewal_policy_id != found.id || !PLANNED.contains(&certificate.lifecycle) {
            return Ok(true);
        }
        let Some(policy) = unit.peek::<RenewalPolicy>(found.id.as_str()).await? else { return Ok(false) };
        replan_one(engine, &unit, &mut certificate, &policy).await?;
        certificate.updated_at = unit.now();
        unit.update(certificate);
        if committed(engine, unit).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn advance(unit: &mut UnitOfWork, mut stored: Record<Replan>, next: Option<CertificateId>) {
    if next.is_none() {
        stored.due_at = Timestamp::NEVER;
    }
    stored.next_id = next;
    unit.update(stored);
}

/// False when somebody was faster. No audit event: that of the policy's change says why all of this happens.
async fn committed(engine: &Engine, unit: UnitOfWork) -> Result<bool, Error> {
    match engine.commit(unit.bookkeeping()).await {
        Ok(()) => Ok(true),
        Err(ApplyError::Stale { .. } | ApplyError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
