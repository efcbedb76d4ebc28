//! Begins renewals that are due.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::domain::{AuditAction, Certificate, JobType, Lifecycle, Principal, RenewalPolicy, Timestamp};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::live::{Standing, standing};
use crate::jobs::open::{Opening, key_holders, open_issue_jobs, targets_of};
use crate::jobs::plan::due_or_replanned;
use crate::ops::context::audit_event;
use crate::storage::{ApplyError, Query, UnitOfWork, View};

/// Opens the jobs of certificates whose renewal is due, each in its own commit; gives how many.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let due = due(view.now()).limit(engine.cadence().sweep_batch);
    let found = view.list(due).await?;
    drop(view);
    let mut begun = 0;
    for certificate in found.records {
        if begin(engine, &certificate).await? {
            begun += 1;
        }
    }
    Ok(begun)
}

/// When the earliest renewal is due, from now.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let now = view.now();
    let next = view.first(due(Timestamp(Timestamp::NEVER.0 - 1))).await?;
    Ok(next.map(|certificate| certificate.renew_at.since(now)))
}

fn due(now: Timestamp) -> Query<Certificate> {
    let fields = Certificate::FIELDS;
    Query::sorted(fields.renew_at.ascending()).filter(fields.renew_at.below(Timestamp(now.0.saturating_add(1))))
}

/// False when it is no longer due, or somebody else was faster.
async fn begin(engine: &Engine, found: &Certificate) -> Result<bool, Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let now = unit.now();
    let Some(mut certificate) = unit.get::<Certificate>(found.id.as_str()).await? else { return Ok(false) };
    if certificate.renew_at > now {
        return Ok(false);
    }
    let mut begun = true;
    if matches!(certificate.lifecycle, Lifecycle::Issued | Lifecycle::Failed) {
        let policy = unit.peek::<RenewalPolicy>(certificate.renewal_policy_id.as_str()).await?;
        let policy = policy.ok_or_else(|| Error::not_found("renewal policy", &certificate.renewal_policy_id))?;
        // The policy may have changed since this moment was planned.
        if due_or_replanned(engine, &unit, &mut certificate, &policy).await? {
            certificate.renew_at = Timestamp::NEVER;
            if let Some(until) = open(engine, &mut unit, &mut certificate, &policy).await? {
                certificate.renew_at = until;
                unit = unit.bookkeeping();
            }
        } else {
            begun = false;
            unit = unit.bookkeeping();
        }
    } else {
        // Archived and revoked certificates are not renewed.
        certificate.renew_at = Timestamp::NEVER;
        unit = unit.bookkeeping();
    }
    unit.update(certificate);
    match engine.commit(unit).await {
        Ok(()) => Ok(begun),
        Err(ApplyError::Stale { .. } | ApplyError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Opens the jobs, unless an agent that holds a key is about to retire: then it says until when to wait.
async fn open(
    engine: &Engine,
    unit: &mut UnitOfWork,
    certificate: &mut Record<Certificate>,
    policy: &RenewalPolicy,
) -> Result<Option<Timestamp>, Error> {
    let targets = targets_of(unit, certificate).await?;
    let mut holders = BTreeSet::new();
    for (id, standing) in standing(engine, unit, &key_holders(certificate, &targets)).await? {
        match standing {
            Standing::Live(agent) => {
                unit.pin(&agent);
                holders.insert(id);
            }
            Standing::Retiring(until) => return Ok(Some(until)),
            // What they held goes to nobody else by itself: a job that no agent is offered fails, and tells the owner.
            Standing::Unknown | Standing::Sentinel | Standing::Retired => {}
        }
    }
    let kind = if certificate.lifecycle == Lifecycle::Failed { JobType::Issuance } else { JobType::Renewal };
    let profile = engine.rules(unit, certificate).await?.profile;
    let needs_approval = profile.is_some_and(|profile| profile.requires_approval);
    let requested_by = &Principal::system().id;
    let opening = Opening { certificate, holders: &holders, kind, policy, requested_by, needs_approval };
    let jobs = open_issue_jobs(engine, unit, &opening);
    let details = json!({ "job_ids": jobs });
    let event = audit_event(
        engine,
        &Principal::system(),
        unit.now(),
        AuditAction::RenewalJobCreated,
        ("certificate", certificate.id.as_str()),
        details,
    );
    unit.append(event);
    certificate.renewing = true;
    Ok(None)
}
