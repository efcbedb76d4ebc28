//! Whose client certificates count at a door.

use async_trait::async_trait;

use crate::domain::{Fingerprint, Revocation, Version};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::{Query, UnitOfWork};

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
