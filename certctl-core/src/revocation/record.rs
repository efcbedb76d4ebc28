//! Revoking a certificate: its state, the rows of all that is valid of it, its open jobs, and whom to tell.

use serde_json::json;

use super::facts::{Facts, Standing};
use super::notice;
use crate::domain::{
    AuditAction, Certificate, Lifecycle, NotificationType, Principal, Revocation, RevocationId, RevocationReason,
    Rollout, Timestamp, VersionId, VersionSerial,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::{Error, ErrorKind};
use crate::jobs::deploy::cancel;
use crate::ops::context::audit_event;
use crate::outbox::{self, About};
use crate::pki::crl::CrlEntry;
use crate::storage::UnitOfWork;

/// Why a certificate cannot be revoked for this reason, if so.
pub(crate) fn refusal(certificate: &Certificate, reason: RevocationReason) -> Option<Error> {
    match certificate.lifecycle {
        Lifecycle::Archived => {
            Some(Error::invalid("the certificate is archived; what was archived is not revoked any more"))
        }
        Lifecycle::Revoked if reason == RevocationReason::CertificateHold || !is_on_hold(certificate) => {
            let why = certificate.revocation_reason.as_deref().unwrap_or("unspecified");
            let message = format!("the certificate is revoked already (reason `{why}`); nothing was changed");
            Some(Error::conflict("already_revoked", message))
        }
        _ if certificate.newest_version_id.is_none() => {
            let message = "the certificate was never issued, so there is nothing to revoke; archive it instead";
            Some(Error::new(ErrorKind::NotFound, "never_issued", message))
        }
        Lifecycle::Pending | Lifecycle::Issued | Lifecycle::Failed | Lifecycle::Revoked => None,
    }
}

/// Whether it is revoked for the time being.
pub(super) fn is_on_hold(certificate: &Certificate) -> bool {
    certificate.lifecycle == Lifecycle::Revoked
        && certificate.revocation_reason.as_deref() == Some(RevocationReason::CertificateHold.name())
}

/// Whether a version is revoked for good.
pub(super) fn is_final(revoked: &[Record<Revocation>], version: &VersionId) -> bool {
    revoked.iter().any(|row| row.version_id == *version && row.reason != RevocationReason::CertificateHold)
}

/// Makes a hold final, as of its beginning (ITU-T X.509 §9.5.3.1).
pub(super) fn finish(
    unit: &mut UnitOfWork,
    mut row: Record<Revocation>,
    (reason, principal): (RevocationReason, &Principal),
) {
    (row.reason, row.revoked_by, row.changed_at) = (reason, principal.id.clone(), unit.now());
    row.crl_entry = entry(&row);
    unit.update(row);
}

/// Records it all in the unit, of a certificate that nothing refuses. The certificate itself is written, so an issuance that ends
/// at the same moment is either among the versions, or is refused.
///
/// # Errors
/// The store's; where a job or notice cannot go on from its state.
pub(crate) async fn revoke(
    (engine, principal): (&Engine, &Principal),
    unit: &mut UnitOfWork,
    (mut certificate, reason): (Record<Certificate>, RevocationReason),
    facts: &mut Facts,
) -> Result<(), Error> {
    let now = unit.now();
    let mut standing = facts.take(&certificate.id);
    // What was revoked for good by itself stays as it is, for the reason that was given then.
    standing.versions.retain(|version| !is_final(&standing.revoked, &version.id));
    let held_since = certificate.revoked_at.filter(|_| is_on_hold(&certificate));
    let revoked_at = held_since.unwrap_or(now);
    if certificate.lifecycle != Lifecycle::Revoked {
        certificate.lifecycle = certificate.lifecycle.transition(Lifecycle::Revoked).map_err(Error::internal)?;
    }
    certificate.revoked_at = Some(revoked_at);
    certificate.revocation_reason = Some(reason.name().into());
    certificate.renewing = false;
    (certificate.renew_at, certificate.alert_at) = (Timestamp::NEVER, Timestamp::NEVER);
    certificate.updated_at = now;
    let told = notice::of_revocation((engine, unit), (facts, &mut standing), (reason, revoked_at))?;
    let Standing { versions, jobs, mut revoked, .. } = standing;
    let mut serials = Vec::with_capacity(versions.len());
    for version in &versions {
        serials.push(&version.serial_number);
        facts.raised.by((engine, unit), version.issuer_key_id.as_ref(), version.crl_shard);
        if let Some(place) = revoked.iter().position(|row| row.version_id == version.id) {
            finish(unit, revoked.swap_remove(place), (reason, principal));
        } else {
            unit.insert(row((engine, principal), (&certificate, version, facts), (reason, revoked_at, now)));
        }
    }
    let (mut cancelled, mut rolls) = (Vec::with_capacity(jobs.len()), false);
    for mut job in jobs {
        rolls |= job.rollout.is_some();
        cancel(&mut job, now, "the certificate was revoked")?;
        cancelled.push(job.id.clone());
        unit.update(job);
    }
    if rolls && let Some(rollout) = unit.get::<Rollout>(certificate.id.as_str()).await? {
        unit.delete(&rollout);
    }
    announce(engine, unit, &certificate, (reason, &versions)).await?;
    let details = json!({
        "reason": reason, "serial_numbers": serials, "cancelled_jobs": cancelled, "issuers_to_tell": told,
        "on_hold_since": held_since, "common_name": certificate.common_name,
    });
    let about = ("certificate", certificate.id.as_str());
    unit.append(audit_event(engine, principal, now, AuditAction::CertificateRevoked, about, details));
    unit.update(certificate);
    Ok(())
}

/// The row of a version.
pub(super) fn row(
    (engine, principal): (&Engine, &Principal),
    (certificate, version, facts): (&Certificate, &VersionSerial, &Facts),
    (reason, revoked_at, now): (RevocationReason, Timestamp, Timestamp),
) -> Revocation {
    let mut row = Revocation {
        id: RevocationId::generate(&*engine.ports().clock, &*engine.ports().rng),
        issuer_id: version.issuer_id.clone(),
        issuer_key_id: version.issuer_key_id.clone(),
        serial_number: version.serial_number.clone(),
        crl_list: facts.list_of(certificate, version),
        crl_entry: Vec::new(),
        certificate_id: certificate.id.clone(),
        version_id: version.id.clone(),
        reason,
        revoked_at,
        revoked_by: principal.id.clone(),
        not_after: version.not_after,
        short_lived: facts.is_short_lived(certificate, version),
        changed_at: now,
    };
    row.crl_entry = entry(&row);
    row
}

/// What revocation lists say of it, which is nothing where none lists it.
fn entry(row: &Revocation) -> Vec<u8> {
    if row.crl_list.is_empty() {
        return Vec::new();
    }
    CrlEntry { serial: &row.serial_number, revoked_at: row.revoked_at, reason: row.reason }.to_der()
}

async fn announce(
    engine: &Engine,
    unit: &mut UnitOfWork,
    certificate: &Record<Certificate>,
    (reason, versions): (RevocationReason, &[Record<VersionSerial>]),
) -> Result<(), Error> {
    // Each decision about a certificate makes another version of its record.
    let key = format!("{}:{}", certificate.id, certificate.version());
    let about = About::new(certificate, NotificationType::Revocation, &key);
    let verb = if reason == RevocationReason::CertificateHold { "put on hold" } else { "revoked" };
    let subject = format!("{} was {verb}", certificate.name);
    let serials: Vec<String> = versions.iter().map(|version| version.serial_number.to_string()).collect();
    let serials = if serials.is_empty() { "none; all versions have expired".into() } else { serials.join(", ") };
    let message = format!(
        "Certificate {} ({}) was {verb}. Reason {reason}. Serials: {serials}. It is not renewed any more.",
        certificate.name, certificate.common_name
    );
    outbox::notify(engine, unit, &about, &subject, &message).await?;
    Ok(())
}
