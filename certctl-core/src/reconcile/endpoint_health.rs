//! Probes endpoints that are due, and stores what was seen (requirements B17).

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;
use serde_json::json;

use crate::decide::health::{Sight, decide};
use crate::domain::{
    AuditAction, Certificate, Fingerprint, HealthCheck, HealthEntry, HealthEntryId, HealthStatus, NotificationType,
    Principal, Severity, Timestamp, Version,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::ops::health_check::endpoint;
use crate::outbox::{self, About};
use crate::pki;
use crate::ports::{Egress, ProbeError, TlsObservation, TlsProbeRequest};
use crate::storage::{ApplyError, Changes, Query, UnitOfWork, View};

/// Longest reason that is kept, in characters.
const LONGEST: usize = 1_000;
/// Attempts at storing what was seen while somebody else writes the check.
const ATTEMPTS: usize = 3;

/// Probes what is due, several at once, and forgets what is too old; gives how many were probed.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    let Some(settings) = &engine.cadence().health else { return Ok(0) };
    let view = engine.storage().read(View::Latest).await?;
    let due = view.list(due(view.now()).limit(engine.cadence().sweep_batch)).await?.records;
    drop(view);
    let mut count = 0;
    let mut probes = iter(due).map(|check| one(engine, check)).buffer_unordered(settings.at_once.max(1));
    while let Some(stored) = probes.next().await {
        count += usize::from(stored?);
    }
    drop(probes);
    forget(engine, settings.kept).await?;
    Ok(count)
}

/// When the first of them is due, from now.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    if engine.cadence().health.is_none() {
        return Ok(None);
    }
    let view = engine.storage().read(View::Latest).await?;
    let first = view.first(due(Timestamp(Timestamp::NEVER.0 - 1))).await?;
    Ok(first.map(|check| check.due_at.since(view.now())))
}

fn due(now: Timestamp) -> Query<HealthCheck> {
    let fields = HealthCheck::FIELDS;
    Query::sorted(fields.due_at.ascending()).filter(fields.due_at.below(Timestamp(now.0.saturating_add(1))))
}

/// What a probe brought home.
struct Seen {
    result: Result<TlsObservation, String>,
    took: Duration,
}

async fn one(engine: &Engine, found: Record<HealthCheck>) -> Result<bool, Error> {
    let clock = &engine.ports().clock;
    let began = clock.monotonic();
    let result = probe(engine, &found).await;
    let seen = Seen { result, took: began.until(clock.monotonic()) };
    for _ in 0..ATTEMPTS {
        if store(engine, &found, &seen).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn probe(engine: &Engine, check: &HealthCheck) -> Result<TlsObservation, String> {
    let endpoint = endpoint(&check.endpoint).map_err(|error| error.message().to_owned())?;
    let request = TlsProbeRequest {
        endpoint,
        server_name: check.server_name.clone(),
        timeout: Duration::from_millis(u64::try_from(check.timeout_ms).unwrap_or(0)),
        // An operator named it, or the target that was deployed to.
        egress: Egress::Configured,
    };
    engine.ports().tls.probe(&request).await.map_err(|error: ProbeError| error.to_string())
}

/// False when somebody else wrote the check at the same moment.
async fn store(engine: &Engine, found: &HealthCheck, seen: &Seen) -> Result<bool, Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let now = unit.now();
    let Some(mut check) = unit.get::<HealthCheck>(found.id.as_str()).await? else { return Ok(true) };
    if !check.enabled || check.endpoint != found.endpoint {
        // Changed meanwhile: it was not this that was asked for.
        return Ok(true);
    }
    let before = check.status;
    let sight = look(&mut check, seen, now);
    if let Sight::Served(fingerprint) = sight {
        expect_newer(&unit, &mut check, fingerprint).await?;
    }
    let verdict = decide(&check, sight);
    (check.status, check.consecutive_failures) = (verdict.status, verdict.failures);
    if before != verdict.status {
        check.status = before.transition(verdict.status).map_err(Error::internal)?;
        check.last_transition_at = Some(now);
        (check.acknowledged, check.acknowledged_by, check.acknowledged_at) = (false, None, None);
    }
    if verdict.status == HealthStatus::CertMismatch
        && let (Some(observed), Some(expected)) = (check.observed_fingerprint, check.expected_fingerprint)
        && matches!(sight, Sight::Served(_))
    {
        check.failure_reason = format!("a certificate with the fingerprint {observed} is served, not {expected}");
    }
    check.due_at = now + Duration::from_secs(u64::try_from(check.check_interval_seconds).unwrap_or(300));
    unit.insert(HealthEntry {
        id: HealthEntryId::generate(&*engine.ports().clock, &*engine.ports().rng),
        health_check_id: check.id.clone(),
        status: check.status,
        response_time_ms: if seen.result.is_ok() { check.response_time_ms } else { 0 },
        fingerprint: check.observed_fingerprint.filter(|_| seen.result.is_ok()),
        failure_reason: check.failure_reason.clone(),
        checked_at: now,
    });
    if before == check.status {
        unit = unit.bookkeeping();
    } else {
        tell(engine, &mut unit, &check, before).await?;
    }
    unit.update(check);
    match engine.commit(unit).await {
        Ok(()) => Ok(true),
        Err(ApplyError::Stale { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Writes down what was seen.
fn look(check: &mut HealthCheck, seen: &Seen, now: Timestamp) -> Sight {
    check.last_checked_at = Some(now);
    let failed = |check: &mut HealthCheck, reason: &str| {
        check.last_failure_at = Some(now);
        check.failure_reason = reason.chars().take(LONGEST).collect();
        Sight::Nothing
    };
    let served = match &seen.result {
        Ok(served) => served,
        Err(reason) => return failed(check, reason),
    };
    let Some(leaf) = served.chain.first() else {
        return failed(check, "the server completed the handshake and sent no certificate");
    };
    let fingerprint = Fingerprint::of(leaf);
    check.response_time_ms = i64::try_from(seen.took.as_millis()).unwrap_or(i64::MAX);
    check.observed_fingerprint = Some(fingerprint);
    check.tls_version.clone_from(&served.protocol);
    check.cipher_suite.clone_from(&served.cipher_suite);
    // What is no certificate is served all the same; its fingerprint tells that it is another one.
    let facts = pki::certificate::parse(leaf).ok();
    check.cert_subject = facts.as_ref().map(|facts| kept(&facts.subject)).unwrap_or_default();
    check.cert_issuer = facts.as_ref().map(|facts| kept(&facts.issuer)).unwrap_or_default();
    check.cert_expiry = facts.map(|facts| facts.not_after);
    check.last_success_at = Some(now);
    check.failure_reason.clear();
    Sight::Served(fingerprint)
}

/// Text of other makers, as far as every store keeps it.
fn kept(text: &str) -> String {
    text.chars().filter(|character| *character != '\0').take(LONGEST).collect()
}

/// A newer version of the certificate than what was expected is as good: its deployment was just not verified yet.
async fn expect_newer(unit: &UnitOfWork, check: &mut HealthCheck, seen: Fingerprint) -> Result<(), Error> {
    let (Some(certificate), Some(expected)) = (&check.certificate_id, check.expected_fingerprint) else {
        return Ok(());
    };
    if expected == seen {
        return Ok(());
    }
    let fields = Version::FIELDS;
    let of = |fingerprint| {
        Query::<Version>::all()
            .filter(fields.certificate_id.equals(certificate.clone()))
            .filter(fields.fingerprint_sha256.equals(fingerprint))
    };
    let (Some(now), before) = (unit.first(of(seen)).await?, unit.first(of(expected)).await?) else { return Ok(()) };
    if before.is_some_and(|before| before.created_at < now.created_at) {
        check.expected_fingerprint = Some(seen);
    }
    Ok(())
}

/// A change is recorded, and alerted where people are to know: when something broke, and when it is well again.
async fn tell(engine: &Engine, unit: &mut UnitOfWork, check: &HealthCheck, before: HealthStatus) -> Result<(), Error> {
    let now = unit.now();
    let details = json!({
        "endpoint": check.endpoint, "from": before, "to": check.status, "reason": check.failure_reason,
        "certificate_id": check.certificate_id,
    });
    let about = ("health_check", check.id.as_str());
    unit.append(audit_event(engine, &Principal::system(), now, AuditAction::HealthCheckTransition, about, details));
    if before == HealthStatus::Unknown && check.status == HealthStatus::Healthy {
        // The first look, and all is well.
        return Ok(());
    }
    let subject = format!("{} is {}", check.endpoint, check.status);
    let reason = if check.failure_reason.is_empty() { String::new() } else { format!(": {}", check.failure_reason) };
    let message = format!("The endpoint {} was {before} and is {} now{reason}", check.endpoint, check.status);
    let key = format!("{}:{}", check.id, now.0);
    let certificate = match &check.certificate_id {
        Some(id) => unit.peek::<Certificate>(id.as_str()).await?,
        None => None,
    };
    let severity = match check.status {
        HealthStatus::Healthy | HealthStatus::Unknown => Severity::Informational,
        HealthStatus::Degraded => Severity::Warning,
        HealthStatus::Down | HealthStatus::CertMismatch => Severity::Critical,
    };
    let about = About {
        certificate: certificate.as_deref(),
        kind: NotificationType::EndpointHealth,
        key: &key,
        severity: Some(severity),
        channels: None,
    };
    outbox::notify(engine, unit, &about, &subject, &message).await?;
    Ok(())
}

/// Forgets what is too old, a batch in one commit.
async fn forget(engine: &Engine, kept: Duration) -> Result<(), Error> {
    let view = engine.storage().read(View::Latest).await?;
    let fields = HealthEntry::FIELDS;
    let old = Query::sorted(fields.checked_at.ascending()).filter(fields.checked_at.below(view.now() - kept));
    let old = view.list(old.limit(engine.cadence().sweep_batch * 2)).await?.records;
    drop(view);
    if old.is_empty() {
        return Ok(());
    }
    let mut changes = Changes::bookkeeping();
    for entry in &old {
        changes.delete(entry);
    }
    match engine.storage().apply(changes).await {
        Ok(_) | Err(ApplyError::Stale { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
