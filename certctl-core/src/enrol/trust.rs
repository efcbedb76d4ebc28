//! Whose client certificates count at a door. Which CAs these are is read from files; that others count from now on is a change
//! that has an author.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, EnrolSource, Fingerprint, Revocation, Version};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::{Query, UnitOfWork};

/// Records that the CAs were read anew whose client certificates count at the doors of a protocol. What was read counts once this
/// is committed.
#[derive(Clone, Debug)]
pub struct RecordTrust {
    /// The protocol.
    pub source: EnrolSource,
    /// The doors whose CAs are others now.
    pub changed: Vec<TrustChange>,
}

/// Which CAs count at a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustChange {
    /// The door.
    pub door: String,
    /// SHA-256 of the CAs that count no more.
    pub removed: Vec<Fingerprint>,
    /// SHA-256 of those that did not count before.
    pub added: Vec<Fingerprint>,
}

#[async_trait]
impl Operation for RecordTrust {
    type Output = ();
    const NAME: &'static str = "enrol.record_trust";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        for TrustChange { door, removed, added } in &self.changed {
            let details = json!({ "source": self.source, "removed": removed, "added": added });
            cx.audit(AuditAction::EnrolmentTrustReloaded, ("enrolment", door), details);
        }
        Ok(())
    }
}

/// Asks whether a certificate is one of the inventory that is revoked or on hold. A CA that others trust may be ours.
#[derive(Clone, Debug)]
pub struct IsRevoked {
    /// SHA-256 of its DER.
    pub fingerprint: Fingerprint,
}

#[async_trait]
impl Operation for IsRevoked {
    type Output = bool;
    const NAME: &'static str = "enrol.is_revoked";
    const ACCESS: Access = Access::OPEN;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let of = Query::all().filter(Version::FIELDS.fingerprint_sha256.equals(self.fingerprint));
        match cx.unit.first::<Version>(of).await? {
            Some(version) => is_revoked(&cx.unit, &version).await,
            None => Ok(false),
        }
    }
}

/// Whether a version is revoked or on hold.
pub(crate) async fn is_revoked(unit: &UnitOfWork, version: &Version) -> Result<bool, Error> {
    let fields = Revocation::FIELDS;
    let of = Query::all()
        .filter(fields.certificate_id.equals(version.certificate_id.clone()))
        .filter(fields.version_id.equals(version.id.clone()));
    Ok(unit.first::<Revocation>(of).await?.is_some())
}
