//! Begins renewals that are due: a batch in one commit, so that the work grows with what is due and not with what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use crate::domain::{
    AuditAction, Certificate, CertificateId, EnrolSource, JobType, Lifecycle, Principal, RenewalPolicy,
    RenewalPolicyId, Timestamp,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::holders::Holders;
use crate::jobs::open::{Opening, open_issue_jobs};
use crate::jobs::plan::{Basis, due_or_replanned, facts};
use crate::ops::context::audit_event;
use crate::storage::{ApplyError, Query, Reads, UnitOfWork, View};

/// Batches in one sweep, so that other loops get their turn.
const BATCHES: usize = 5;

/// Opens the jobs of certificates whose renewal is due; gives how many.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    let mut begun = 0;
    for _ in 0..BATCHES {
        let unit = UnitOfWork::begin(engine.storage()).await?;
        let limit = engine.cadence().sweep_batch.max(1);
        let found = unit.list(due(unit.now()).limit(limit)).await?.records;
        let (count, ids) = (found.len(), found.iter().map(|found| found.id.clone()).collect::<Vec<_>>());
        match batch(engine, unit, found).await? {
            Some(opened) => begun += opened,
            // Somebody wrote one of them at the same moment, or begins the same: each in its own commit.
            None => {
                for id in &ids {
                    begun += one(engine, id).await?;
                }
            }
        }
        if count < limit {
            break;
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

/// Nothing when it is no longer due, or somebody else was faster.
async fn one(engine: &Engine, id: &CertificateId) -> Result<usize, Error> {
    let unit = UnitOfWork::begin(engine.storage()).await?;
    let Some(certificate) = unit.peek::<Certificate>(id.as_str()).await? else { return Ok(0) };
    if certificate.renew_at > unit.now() {
        return Ok(0);
    }
    Ok(batch(engine, unit, vec![certificate]).await?.unwrap_or(0))
}

/// Begins the renewals of certificates whose moment has come, in one commit; gives how many, and `None` when it came too late.
async fn batch(
    engine: &Engine,
    mut unit: UnitOfWork,
    certificates: Vec<Record<Certificate>>,
) -> Result<Option<usize>, Error> {
    if certificates.is_empty() {
        return Ok(Some(0));
    }
    let references: Vec<&Certificate> = certificates.iter().map(|certificate| &**certificate).collect();
    let renewable: Vec<&Certificate> = references.iter().copied().filter(|certificate| renews(certificate)).collect();
    let policies = policies(&unit, &renewable).await?;
    let facts = facts(engine, &unit, &references).await?;
    let holders = Holders::of(engine, &mut unit, &renewable).await?;
    let (now, mut begun) = (unit.now(), 0);
    for (mut certificate, facts) in certificates.into_iter().zip(&facts) {
        if renews(&certificate) {
            let Some(policy) = policies.get(&certificate.renewal_policy_id) else {
                return Err(Error::not_found("renewal policy", &certificate.renewal_policy_id));
            };
            if renews_itself(&certificate, &holders) {
                certificate.renew_at = Timestamp::NEVER;
            // The policy may have changed since this moment was planned.
            } else if due_or_replanned(engine, &mut certificate, Basis { policy, facts, now }) {
                certificate.renew_at = Timestamp::NEVER;
                if let Some(until) = open(engine, &mut unit, &mut certificate, (policy, &holders)).await? {
                    certificate.renew_at = until;
                }
                begun += 1;
            }
        } else {
            // Archived and revoked certificates are not renewed.
            certificate.renew_at = Timestamp::NEVER;
            begun += 1;
        }
        unit.update(certificate);
    }
    match engine.commit(unit.bookkeeping()).await {
        Ok(()) => Ok(Some(begun)),
        Err(ApplyError::Stale { .. } | ApplyError::Conflict { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn renews(certificate: &Certificate) -> bool {
    matches!(certificate.lifecycle, Lifecycle::Issued | Lifecycle::Failed)
}

/// Whether a machine enrolled it through a protocol of its own, and comes back by itself: a job would be for nobody. People are
/// told when it does not come.
fn renews_itself(certificate: &Certificate, holders: &Holders) -> bool {
    EnrolSource::is_of(certificate) && holders.all(&certificate.id).is_empty()
}

/// The policies of these certificates, as they are stored at this moment.
async fn policies(
    unit: &UnitOfWork,
    certificates: &[&Certificate],
) -> Result<BTreeMap<RenewalPolicyId, Record<RenewalPolicy>>, Error> {
    let ids: BTreeSet<&RenewalPolicyId> =
        certificates.iter().map(|certificate| &certificate.renewal_policy_id).collect();
    let mut reads = Reads::default();
    let places: Vec<_> = ids.into_iter().map(|id| reads.get::<RenewalPolicy>(id.as_str())).collect();
    let mut found = unit.read(reads).await?;
    let mut policies = BTreeMap::new();
    for place in &places {
        policies.extend(found.one(place)?.map(|policy| (policy.id.clone(), policy)));
    }
    Ok(policies)
}

/// Opens the jobs, unless an agent that holds a key is about to retire: then it says until when to wait.
async fn open(
    engine: &Engine,
    unit: &mut UnitOfWork,
    certificate: &mut Record<Certificate>,
    (policy, holders): (&RenewalPolicy, &Holders),
) -> Result<Option<Timestamp>, Error> {
    // Without any the job is offered to no agent: it fails, and tells the owner.
    let live = match holders.live(&certificate.id) {
        Ok(live) => live,
        Err(leaving) => return Ok(Some(leaving.until)),
    };
    let kind = if certificate.lifecycle == Lifecycle::Failed { JobType::Issuance } else { JobType::Renewal };
    let profile = engine.rules(unit, certificate).await?.profile;
    let needs_approval = profile.is_some_and(|profile| profile.requires_approval);
    let requested_by = &Principal::system().id;
    let opening = Opening { certificate, holders: &live, kind, policy, requested_by, needs_approval };
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
