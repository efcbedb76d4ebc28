//! Telling issuers of revocations: leased, repeated with growing distance for as long as what is revoked would be valid.

use std::time::Duration;

use serde_json::json;

use crate::connector::{ConnectorError, ConnectorErrorKind, ReleasedCertificate, RevokedCertificate};
use crate::decide::backoff;
use crate::domain::{
    AuditAction, IssuerRecord, Principal, RevocationNotice, RevocationNoticeState, Timestamp, Version,
};
use crate::engine::Engine;
use crate::error::Error;
use crate::jobs::queue::{Queue, insist, while_held};
use crate::jobs::{Permit, lost};
use crate::ops::context::audit_event;
use crate::storage::{Lease, Query, UnitOfWork, View};

/// The first pause between attempts; each further one is twice as long, up to an hour.
const PAUSE: Duration = Duration::from_secs(60);
/// Issuers that are looked at.
const ISSUERS: usize = 1_000;
/// Longest error text that is kept, in characters.
const LONGEST: usize = 2_000;

const QUEUE: Queue<RevocationNotice> = Queue {
    permit: |notice| notice.partition.clone(),
    work: |engine, lease, asked_at| Box::pin(while_held(engine, &lease.fence, asked_at, perform(engine, lease))),
};

async fn free(engine: &Engine) -> Result<Vec<(String, u32)>, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let issuers = view.list(Query::<IssuerRecord>::all().limit(ISSUERS)).await?.records;
    let partitions = issuers.iter().map(|issuer| RevocationNotice::partition(&issuer.id));
    Ok(Permit::free(engine, engine.cadence().permits_per_partition, partitions))
}

/// How long until an issuer is to be told of something.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    // Nearly always there is nothing, and one look at one index says so.
    let open = RevocationNotice::FIELDS.due_at;
    let first = Query::sorted(open.ascending()).filter(open.below(Timestamp::NEVER));
    if engine.storage().read(View::Latest).await?.first(first).await?.is_none() {
        return Ok(None);
    }
    Queue::<RevocationNotice>::next_due(engine, free(engine).await?).await
}

/// Takes up what is due, each in a task of its own; gives how many.
pub(crate) async fn claim_and_start(engine: &Engine) -> Result<usize, Error> {
    QUEUE.claim_and_start(engine, free(engine).await?).await
}

async fn perform(engine: &Engine, lease: &Lease<RevocationNotice>) {
    let stored = async {
        let told = insist(engine, || attempt(engine, lease)).await?;
        // What the issuer was told must reach the store, or it is told again.
        insist(engine, || record(engine, lease, &told)).await
    };
    if let Err(error) = stored.await {
        // The lease runs out and the notice is taken up again.
        tracing::error!(version = %lease.record.id, %error, source = ?std::error::Error::source(&error), "the telling of a revocation cannot be stored");
    }
}

/// How telling went.
struct Told {
    outcome: Result<(), ConnectorError>,
    /// When what is revoked ends by itself.
    not_after: Timestamp,
}

/// Tells, as soon as it is known whom and what.
async fn attempt(engine: &Engine, lease: &Lease<RevocationNotice>) -> Result<Told, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let Some(version) = view.get::<Version>(lease.record.id.as_str()).await? else {
        return Err(Error::not_found("certificate version", &lease.record.id));
    };
    let issuer = view.get::<IssuerRecord>(lease.record.issuer_id.as_str()).await?;
    drop(view);
    // A lost attempt counts as a failed one: a notice that kills its process each time must not do so without a pause.
    let outcome = if lease.abandoned {
        Err(ConnectorError::transient(lost::LOST))
    } else {
        tell(engine, issuer.as_deref(), (&lease.record, &version)).await
    };
    Ok(Told { outcome, not_after: version.not_after })
}

async fn tell(
    engine: &Engine,
    issuer: Option<&IssuerRecord>,
    (notice, version): (&RevocationNotice, &Version),
) -> Result<(), ConnectorError> {
    let Some(issuer) = issuer else {
        return Err(ConnectorError::permanent(format!("there is no issuer `{}` any more", notice.issuer_id)));
    };
    let live = engine.issuer(issuer).map_err(|error| {
        // Somebody may mend its configuration.
        ConnectorError::new(ConnectorErrorKind::Auth, "the issuer cannot be built from its configuration")
            .because(error)
    })?;
    let Some(revoker) = live.revoker() else {
        return Err(ConnectorError::permanent("the issuer is told of no revocations"));
    };
    let (serial, chain) = (&version.serial_number, &version.chain);
    match notice.reason {
        Some(reason) => {
            revoker.revoke(RevokedCertificate { serial, chain, reason, revoked_at: notice.decided_at }).await
        }
        None => revoker.release(ReleasedCertificate { serial, chain }).await,
    }
}

async fn record(
    engine: &Engine,
    lease: &Lease<RevocationNotice>,
    Told { outcome, not_after }: &Told,
) -> Result<(), Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let now = unit.now();
    // Another decision took its place: that one is told in its turn.
    let Some(mut notice) = unit.held::<RevocationNotice>(&lease.fence).await? else { return Ok(()) };
    notice.holder = None;
    let (state, action) = match outcome {
        Ok(()) => {
            (notice.told_at, notice.last_error, notice.due_at) = (Some(now), None, Timestamp::NEVER);
            (RevocationNoticeState::Told, AuditAction::IssuerTold)
        }
        Err(error) => {
            notice.failures += 1;
            notice.last_error = Some(error.explained().chars().take(LONGEST).collect());
            if is_final(error.kind) || *not_after <= now {
                notice.due_at = Timestamp::NEVER;
                tracing::warn!(
                    certificate = %notice.certificate_id, version = %notice.id, issuer = %notice.issuer_id, error = %error.explained(),
                    "an issuer was not told of a revocation, and is not asked again; revoke the certificate there by hand"
                );
                (RevocationNoticeState::Refused, AuditAction::IssuerRefusedRevocation)
            } else {
                let failures = u32::try_from(notice.failures).unwrap_or(u32::MAX);
                let pause = backoff::job(PAUSE, failures, engine.ports().rng.next_u64());
                let asked = error.retry_after.unwrap_or_default().min(backoff::LONGEST);
                notice.due_at = now + pause.max(asked);
                (RevocationNoticeState::Failed, AuditAction::IssuerNotTold)
            }
        }
    };
    notice.state = notice.state.transition(state).map_err(Error::internal)?;
    let details = json!({
        "issuer_id": notice.issuer_id, "version_id": notice.id, "reason": notice.reason, "released": notice.reason.is_none(),
        "failures": notice.failures, "error": notice.last_error,
    });
    let about = ("certificate", notice.certificate_id.as_str());
    unit.append(audit_event(engine, &Principal::system(), now, action, about, details));
    unit.update(notice);
    Ok(engine.commit(unit).await?)
}

/// Asking again would change nothing. Credentials that are refused are somebody's to mend, and nobody else tells the issuer
/// meanwhile.
const fn is_final(kind: ConnectorErrorKind) -> bool {
    match kind {
        ConnectorErrorKind::Permanent | ConnectorErrorKind::Policy | ConnectorErrorKind::Lineage => true,
        ConnectorErrorKind::Auth
        | ConnectorErrorKind::Challenge
        | ConnectorErrorKind::Quota
        | ConnectorErrorKind::Transient
        | ConnectorErrorKind::Unreachable => false,
    }
}
