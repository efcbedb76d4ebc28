//! Releasing a certificate that was on hold: what is on hold of it is valid again, and it is renewed again. A version that was
//! revoked for good by itself stays so.

use serde_json::json;

use super::facts::{Facts, Standing};
use super::notice;
use super::record::is_on_hold;
use crate::domain::{
    AuditAction, Certificate, Lifecycle, NotificationType, Principal, RenewalPolicy, RevocationReason,
    RevocationRelease, RevocationReleaseId, Severity, Timestamp,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::plan;
use crate::ops::context::audit_event;
use crate::outbox::{self, About};
use crate::storage::UnitOfWork;

/// Records it in the unit.
///
/// # Errors
/// `not_on_hold`; the store's.
pub(crate) async fn release(
    (engine, principal): (&Engine, &Principal),
    unit: &mut UnitOfWork,
    mut certificate: Record<Certificate>,
) -> Result<(), Error> {
    if !is_on_hold(&certificate) {
        let message = match certificate.lifecycle {
            Lifecycle::Revoked => "the certificate is revoked for good, and stays so; create a new one",
            _ => "the certificate is not on hold; only one that is revoked with `certificateHold` can be released",
        };
        return Err(Error::conflict("not_on_hold", message));
    }
    let now = unit.now();
    let mut facts = Facts::of(engine, unit, &[&certificate]).await?;
    let Standing { versions, mut revoked, mut notices, .. } = facts.take(&certificate.id);
    revoked.retain(|row| row.reason == RevocationReason::CertificateHold);
    notices.retain(|notice| notice.reason == Some(RevocationReason::CertificateHold));
    for row in &revoked {
        facts.raised.by((engine, unit), row.issuer_key_id.as_ref(), row.shard());
        if let Some(issuer_key_id) = row.issuer_key_id.clone() {
            // Whoever goes by an older list and what changed since has to be told (RFC 5280 §5.2.4).
            unit.insert(RevocationRelease {
                id: RevocationReleaseId::generate(&*engine.ports().clock, &*engine.ports().rng),
                issuer_key_id,
                serial_number: row.serial_number.clone(),
                released_at: now,
                not_after: row.not_after,
            });
        }
        unit.delete(row);
    }
    let told = notice::of_release((engine, unit), notices)?;
    certificate.lifecycle = certificate.lifecycle.transition(Lifecycle::Issued).map_err(Error::internal)?;
    let held_since = certificate.revoked_at.take();
    certificate.revocation_reason = None;
    certificate.updated_at = now;
    if certificate.expires_at == Timestamp::NEVER {
        // It was put on hold before all its key holders had theirs.
        let first = versions.iter().map(|version| version.not_after).min();
        certificate.expires_at = first.unwrap_or(now);
    }
    let policy = unit.get::<RenewalPolicy>(certificate.renewal_policy_id.as_str()).await?;
    let policy = policy.ok_or_else(|| Error::not_found("renewal policy", &certificate.renewal_policy_id))?;
    plan::replan_one(engine, unit, &mut certificate, &policy).await?;
    let key = format!("{}:{}", certificate.id, certificate.version());
    let about = About {
        severity: Some(Severity::Informational),
        ..About::new(&certificate, NotificationType::Revocation, &key)
    };
    let subject = format!("{} was released", certificate.name);
    let message = format!(
        "Certificate {} ({}) was on hold and is valid again until {}.",
        certificate.name, certificate.common_name, certificate.expires_at
    );
    outbox::notify(engine, unit, &about, &subject, &message).await?;
    let serials: Vec<_> = revoked.iter().map(|row| &row.serial_number).collect();
    let details = json!({ "serial_numbers": serials, "on_hold_since": held_since, "issuers_to_tell": told });
    let about = ("certificate", certificate.id.as_str());
    unit.append(audit_event(engine, principal, now, AuditAction::CertificateReleased, about, details));
    unit.update(certificate);
    Ok(())
}
