//! Recording what an issuer made: version, certificate, deployments, notifications and audit, in one commit.

use serde_json::json;

use super::descent::Descent;
use super::held::Held;
use super::live::{self, Standing};
use super::open::key_holders;
use super::order::Order;
use super::rollout::{self, Arrival};
use super::shape;
use crate::connector::Published;
use crate::decide::advice;
use crate::decide::alerts::{self, AlertInput};
use crate::decide::policy::Validity;
use crate::decide::renewal::{RenewalInput, decide};
use crate::domain::{
    AuditAction, Certificate, CertificateFacts, CertificateKey, CertificateTarget, Chain, Csr, Job, JobState, JobType,
    Lifecycle, NotificationType, Principal, RenewalAdvice, RenewalInfoId, RenewalPolicy, ShapeState, Timestamp,
    Version, VersionId,
};
use crate::engine::Engine;
use crate::entity::{Json, Record};
use crate::error::{Error, ErrorKind};
use crate::ops::context::audit_event;
use crate::outbox::{self, About};
use crate::pki;
use crate::storage::{Query, UnitOfWork};

/// What was issued, for whom.
pub(crate) struct Issued<'a> {
    pub(crate) certificate: Held,
    /// Its targets.
    pub(crate) targets: Vec<CertificateTarget>,
    /// To whom the key of the request belongs, if it was used before.
    pub(crate) key: Option<Record<CertificateKey>>,
    /// The job as it was read, when it is stored already.
    pub(crate) job: Option<Record<Job>>,
    /// The job as it is, when it is not stored yet.
    pub(crate) new_job: Option<Job>,
    pub(crate) csr: &'a Csr,
    pub(crate) chain: Chain,
    pub(crate) order: &'a Order,
    /// What the order said of the version before it.
    pub(crate) descent: &'a Descent,
    /// That version.
    pub(crate) predecessor: Option<&'a Version>,
    pub(crate) principal: &'a Principal,
}

/// Checks the chain against what was asked for, and gives its facts.
pub(crate) fn check(order: &Order, csr: &Csr, chain: &Chain, now: Timestamp) -> Result<CertificateFacts, Error> {
    let expected = pki::chain::Expected { spki: csr.spki(), names: &order.names, now };
    pki::chain::check(chain, &expected).map_err(|error| {
        let message = format!("the issuer answered with a certificate that does not fit the request: {error}");
        Error::new(ErrorKind::Unprocessable, "bad_issuance", message).because(error)
    })
}

/// When a chain that fits is valid; one that does not fit is refused when it is recorded.
pub(crate) fn validity(order: &Order, csr: &Csr, chain: &Chain, now: Timestamp) -> Option<Validity> {
    if order.compliance.is_empty() {
        // Nobody asks.
        return None;
    }
    let CertificateFacts { not_before, not_after, .. } = check(order, csr, chain, now).ok()?;
    Some(Validity { not_before, not_after })
}

/// Records it all in the unit. Gives the id of the version.
pub(crate) async fn record(engine: &Engine, unit: &mut UnitOfWork, issued: Issued<'_>) -> Result<VersionId, Error> {
    let Issued { mut certificate, targets, key, job, new_job, csr, chain, order, descent, predecessor, principal } =
        issued;
    let now = unit.now();
    let facts = check(order, csr, &chain, now)?;
    let key_holder = job.as_deref().or(new_job.as_ref()).map(|job| job.key_holder.clone()).unwrap_or_default();
    claim_key(unit, &certificate, csr, key.as_deref(), &key_holder)?;
    let own: Vec<&CertificateTarget> = targets.iter().filter(|target| target.agent_id.as_str() == key_holder).collect();
    let compared = shape::compare(unit, &chain, predecessor, &own).await?;
    let version = Version {
        id: VersionId::generate(&*engine.ports().clock, &*engine.ports().rng),
        certificate_id: certificate.id.clone(),
        issuer_id: order.issuer_id.clone(),
        issuer_key_id: pki::chain::signer_of(&chain),
        crl_shard: facts.crl_urls.iter().find_map(|url| Published::shard_of(url)).map(i64::from),
        key_holder: key_holder.clone(),
        serial_number: facts.serial.clone(),
        not_before: facts.not_before,
        not_after: facts.not_after,
        fingerprint_sha256: chain.fingerprint(),
        chain,
        csr: csr.der().to_vec(),
        key_id: csr.key_id(),
        key_algorithm: csr.key_algorithm().family().name().into(),
        key_size: i64::from(csr.key_algorithm().bits()),
        directory: descent.account.as_ref().map(|account| account.directory.clone()),
        account: descent.account.as_ref().map(|account| account.account.clone()),
        lineage_break: descent.broken.clone(),
        shape: compared.state,
        shape_findings: Json(compared.findings),
        created_at: now,
    };
    advise(engine, unit, (&version, &facts), predecessor).await?;
    let kind = job.as_deref().or(new_job.as_ref()).map_or(JobType::Renewal, |job| job.kind);
    let job_id = job.as_deref().or(new_job.as_ref()).map(|job| job.id.clone());
    let ordered_at = job.as_deref().or(new_job.as_ref()).map_or(now, |job| job.created_at);
    let finish = |job: &mut Job| -> Result<(), Error> {
        job.state = if job.state == JobState::Completed {
            job.state
        } else {
            job.state.transition(JobState::Completed).map_err(Error::internal)?
        };
        (job.open_slot, job.holder, job.step, job.last_error) = (None, None, None, None);
        (job.version_id, job.completed_at) = (Some(version.id.clone()), Some(now));
        job.started_at = job.started_at.or(Some(now));
        job.due_at = Timestamp::NEVER;
        job.attempts += 1;
        Ok(())
    };
    match (job, new_job) {
        (Some(mut job), _) => {
            finish(&mut job)?;
            unit.update(job);
        }
        (None, Some(mut job)) => {
            finish(&mut job)?;
            unit.insert(job);
        }
        (None, None) => {}
    }
    let others = Others::of(engine, unit, &certificate, &targets, &key_holder).await?;
    renewed(engine, &mut certificate, &order.policy, &version, &others);
    shape::tell(engine, unit, principal, (&certificate, &version)).await?;
    if version.shape != ShapeState::Held {
        let deployments: Vec<_> = own.into_iter().map(|target| (target, &version)).collect();
        let (certificate, policy) = (&*certificate, &**order.policy);
        let arrival = Arrival { certificate, policy, principal, deployments: &deployments, ordered_at };
        if order.policy.deployment_waves.is_some() {
            rollout::arrive(engine, unit, &arrival).await?;
        } else {
            rollout::all_at_once(engine, unit, &arrival).await?;
        }
    }
    let about = About::new(&certificate, NotificationType::RenewalSuccess, version.id.as_str());
    let verb = if kind == JobType::Issuance { "issued" } else { "renewed" };
    let subject = format!("{} was {verb} until {}", certificate.name, version.not_after);
    outbox::notify(
        engine,
        unit,
        &about,
        &subject,
        &format!(
            "Certificate {} ({}) was {verb}. Serial {}, valid until {}.",
            certificate.name, certificate.common_name, version.serial_number, version.not_after
        ),
    )
    .await?;
    let details = json!({
        "job_id": job_id, "version_id": version.id, "serial_number": version.serial_number,
        "fingerprint_sha256": version.fingerprint_sha256, "not_after": version.not_after, "key_holder": key_holder,
        "issuer_id": version.issuer_id,
    });
    unit.append(audit_event(
        engine,
        principal,
        now,
        AuditAction::CertificateIssued,
        ("certificate", certificate.id.as_str()),
        details,
    ));
    if order.issuer_id != certificate.issuer_id {
        let why = order.own_health.as_deref().and_then(|health| health.last_error.clone());
        let details = json!({
            "from": certificate.issuer_id, "to": order.issuer_id, "version_id": version.id, "error": why,
        });
        let resource = ("certificate", certificate.id.as_str());
        unit.append(audit_event(engine, principal, now, AuditAction::IssuerFailedOver, resource, details));
    }
    let id = version.id.clone();
    unit.insert(version);
    certificate.write(unit);
    Ok(id)
}

/// Has the CA asked when it wants to see the version renewed, where it says so. What it said of the version before is shadowed
/// by that; where the new issuer says nothing, it is forgotten.
async fn advise(
    engine: &Engine,
    unit: &mut UnitOfWork,
    (version, facts): (&Version, &CertificateFacts),
    predecessor: Option<&Version>,
) -> Result<(), Error> {
    let id = version.directory.as_ref().and_then(|_| RenewalInfoId::of(facts));
    if let Some(id) = id {
        let lifetime = version.not_after.since(version.not_before);
        let next_check = advice::first_check(version.created_at, lifetime, engine.ports().rng.next_u64());
        unit.insert(RenewalAdvice {
            id: version.id.clone(),
            certificate_id: version.certificate_id.clone(),
            key_holder: version.key_holder.clone(),
            issuer_id: version.issuer_id.clone(),
            renewal_info_id: id.to_string(),
            issued_at: version.created_at,
            window_start: None,
            window_end: None,
            selected_at: None,
            explanation_url: None,
            checked_at: None,
            next_check,
            failures: 0,
            last_error: None,
        });
    } else if let Some(before) = predecessor.filter(|before| before.directory.is_some())
        && let Some(advice) = unit.get::<RenewalAdvice>(before.id.as_str()).await?
    {
        unit.delete(&advice);
    }
    Ok(())
}

/// A public key belongs to one certificate and one holder.
fn claim_key(
    unit: &mut UnitOfWork,
    certificate: &Certificate,
    csr: &Csr,
    used: Option<&CertificateKey>,
    key_holder: &str,
) -> Result<(), Error> {
    match used {
        None => {
            let id = csr.key_id();
            let key = CertificateKey { id, certificate_id: certificate.id.clone(), key_holder: key_holder.into() };
            unit.insert(key);
            Ok(())
        }
        Some(key) if key.certificate_id == certificate.id && key.key_holder == key_holder => Ok(()),
        Some(_) => Err(Error::conflict(
            "key_in_use",
            "the key of this request belongs to another certificate or another key holder; make a new key",
        )),
    }
}

/// How the other key holders of the certificate stand.
struct Others {
    /// Whether one of them has an open job.
    open: bool,
    /// The earliest end among their newest versions.
    not_after: Option<Timestamp>,
}

impl Others {
    const NONE: Self = Self { open: false, not_after: None };

    /// Retired agents hold no key that anybody serves, and targets may have been taken away: neither counts.
    async fn of(
        engine: &Engine,
        unit: &UnitOfWork,
        certificate: &Certificate,
        targets: &[CertificateTarget],
        holder: &str,
    ) -> Result<Self, Error> {
        let mut others = key_holders(certificate, targets);
        others.retain(|other| other.as_str() != holder);
        if others.is_empty() {
            return Ok(Self::NONE);
        }
        let standing = live::standing(engine, unit, &others).await?;
        let counts = |standing: &Standing| matches!(standing, Standing::Live(_) | Standing::Retiring(_));
        let others = standing.iter().filter(|(_, standing)| counts(standing)).map(|(id, _)| id.to_string());
        Self::read(unit, certificate, &others.collect::<Vec<_>>()).await
    }

    async fn read(unit: &UnitOfWork, certificate: &Certificate, holders: &[String]) -> Result<Self, Error> {
        let fields = Job::FIELDS;
        let open = Query::<Job>::all()
            .filter(fields.certificate_id.equals(certificate.id.clone()))
            .filter(fields.kind.one_of([JobType::Issuance, JobType::Renewal]))
            .filter(fields.open_slot.is_set())
            .filter(fields.key_holder.one_of(holders.iter().cloned()));
        let open = unit.total(&open).await? > 0;
        let newest = Query::<Version>::sorted(Version::FIELDS.created_at.descending())
            .filter(Version::FIELDS.certificate_id.equals(certificate.id.clone()))
            .filter(Version::FIELDS.key_holder.one_of(holders.iter().cloned()))
            .limit(holders.len() * 4);
        let mut seen = std::collections::BTreeSet::new();
        let mut not_after: Option<Timestamp> = None;
        for version in unit.list(newest).await?.records {
            if seen.insert(version.key_holder.clone()) {
                not_after = Some(not_after.map_or(version.not_after, |end| end.min(version.not_after)));
            }
        }
        Ok(Self { open, not_after })
    }
}

/// Plans a certificate by a version that was made elsewhere: as if it had been issued now, but for when it was.
pub(crate) fn take_over(engine: &Engine, certificate: &mut Certificate, policy: &RenewalPolicy, version: &Version) {
    renewed(engine, certificate, policy, version, &Others::NONE);
    certificate.last_renewal_at = None;
}

fn renewed(engine: &Engine, certificate: &mut Certificate, policy: &RenewalPolicy, version: &Version, others: &Others) {
    let now = version.created_at;
    (certificate.last_renewal_at, certificate.updated_at) = (Some(now), now);
    certificate.newest_version_id = Some(version.id.clone());
    if others.open {
        // It counts as renewed when all key holders are.
        return;
    }
    let not_after = others.not_after.map_or(version.not_after, |end| end.min(version.not_after));
    let random = engine.ports().rng.next_u64();
    let input = RenewalInput::of(policy, (version.not_before, not_after), random);
    // Nothing is advised for a version that the CA was not asked about yet.
    let verdict = decide(&RenewalInput { issued_at: now, now, ..input });
    certificate.lifecycle = certificate.lifecycle.transition(Lifecycle::Issued).unwrap_or(certificate.lifecycle);
    (certificate.renewing, certificate.failed_renewals) = (false, 0);
    (certificate.expires_at, certificate.expiring_at) = (not_after, verdict.expiring_at);
    certificate.renew_at = verdict.renew_at.unwrap_or(Timestamp::NEVER);
    certificate.alert_at = alerts::look_at(&AlertInput::of(certificate, policy, version.not_before, now));
}
