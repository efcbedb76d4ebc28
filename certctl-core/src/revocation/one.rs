//! Revoking one version that is not the newest: the certificate lives on by that one.

use serde_json::json;

use super::facts::Facts;
use super::{notice, record};
use crate::domain::{AuditAction, Certificate, Principal, RevocationReason, VersionId};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::{Error, ErrorKind};
use crate::ops::context::audit_event;
use crate::storage::UnitOfWork;

/// Records it in the unit. The certificate is not written, but was read and is pinned.
///
/// # Errors
/// Where the version has expired; the store's; where a notice cannot go on from its state.
pub(crate) async fn revoke_one(
    (engine, principal): (&Engine, &Principal),
    unit: &mut UnitOfWork,
    (certificate, version, reason): (Record<Certificate>, &VersionId, RevocationReason),
    facts: &mut Facts,
) -> Result<(), Error> {
    let now = unit.now();
    let mut standing = facts.take(&certificate.id);
    standing.versions.retain(|valid| valid.id == *version);
    let told = notice::of_revocation((engine, unit), (facts, &mut standing), (reason, now))?;
    let Some(version) = standing.versions.into_iter().next() else {
        return Err(Error::new(ErrorKind::NotFound, "expired", "the version has expired; there is nothing to revoke"));
    };
    facts.raised.by((engine, unit), version.issuer_key_id.as_ref(), version.crl_shard);
    unit.insert(record::row((engine, principal), (&certificate, &version, facts), (reason, now, now)));
    let details = json!({
        "reason": reason, "serial_numbers": [&version.serial_number], "version_id": version.id, "issuers_to_tell": told,
        "common_name": certificate.common_name,
    });
    let about = ("certificate", certificate.id.as_str());
    unit.append(audit_event(engine, principal, now, AuditAction::CertificateRevoked, about, details));
    Ok(())
}
