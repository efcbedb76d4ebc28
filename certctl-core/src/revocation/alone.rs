//! Revoking versions alone: older ones, while the certificate lives on by the newest, or what is left of one that is over.

use serde_json::json;

use super::facts::Facts;
use super::notice;
use super::record::{finish, is_final, row};
use crate::domain::{AuditAction, Certificate, Principal, RevocationReason, VersionId, VersionSerial};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::{Error, ErrorKind};
use crate::ops::context::audit_event;
use crate::storage::UnitOfWork;

/// Records it of these versions in the unit. The certificate is written, so that an issuance or another decision at the same moment
/// reads again; it stays as it is. While it is on hold, they are revoked for good beside it.
///
/// # Errors
/// `already_revoked`; where one has expired; the store's; where a notice cannot go on from its state.
pub(crate) fn revoke_alone(
    (engine, principal): (&Engine, &Principal),
    unit: &mut UnitOfWork,
    (certificate, versions, reason): (&Record<Certificate>, &[VersionId], RevocationReason),
    facts: &mut Facts,
) -> Result<(), Error> {
    let mut standing = facts.take(&certificate.id);
    standing.versions.retain(|valid| versions.contains(&valid.id));
    if standing.versions.len() < versions.len() {
        return Err(Error::new(ErrorKind::NotFound, "expired", "the version has expired; there is nothing to revoke"));
    }
    if versions.iter().any(|version| is_final(&standing.revoked, version)) {
        return Err(Error::conflict("already_revoked", "the version is revoked already; nothing was changed"));
    }
    let mut written = certificate.clone();
    written.updated_at = unit.now();
    unit.update(written);
    for version in std::mem::take(&mut standing.versions) {
        let now = unit.now();
        let held = standing.revoked.iter().position(|row| row.version_id == version.id);
        let held = held.map(|place| standing.revoked.swap_remove(place));
        let revoked_at = held.as_ref().map_or(now, |row| row.revoked_at);
        let serial = version.serial_number.clone();
        let id = version.id.clone();
        facts.raised.by((engine, unit), version.issuer_key_id.as_ref(), version.crl_shard);
        match held {
            Some(row) => finish(unit, row, (reason, principal)),
            None => unit.insert(row((engine, principal), (certificate, &version, facts), (reason, now, now))),
        }
        standing.versions = vec![version];
        let told = notice::of_revocation((engine, unit), (facts, &mut standing), (reason, revoked_at))?;
        let details = json!({
            "reason": reason, "serial_numbers": [serial], "version_id": id, "issuers_to_tell": told,
            "common_name": certificate.common_name,
        });
        let about = ("certificate", certificate.id.as_str());
        unit.append(audit_event(engine, principal, now, AuditAction::CertificateRevoked, about, details));
    }
    Ok(())
}

/// What of a certificate one issuer made.
pub(crate) enum MadeBy {
    /// Nothing that is valid and not revoked for good.
    Nothing,
    /// These versions, and not the newest.
    Older(Vec<VersionId>),
    /// The newest version.
    Newest,
}

impl MadeBy {
    /// Looks at what is valid of it.
    pub(crate) fn of(facts: &Facts, certificate: &Certificate, is_maker: impl Fn(&VersionSerial) -> bool) -> Self {
        let Some(standing) = facts.peek(&certificate.id) else { return Self::Nothing };
        let made = standing.versions.iter().filter(|version| is_maker(version));
        let made = made.filter(|version| !is_final(&standing.revoked, &version.id));
        let made: Vec<VersionId> = made.map(|version| version.id.clone()).collect();
        match &certificate.newest_version_id {
            Some(newest) if made.contains(newest) => Self::Newest,
            _ if made.is_empty() => Self::Nothing,
            _ => Self::Older(made),
        }
    }
}
