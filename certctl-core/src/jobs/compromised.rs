//! Keys that are known to be compromised: nothing is certified for them any more (RFC 8555 §11.1, Baseline Requirements 6.1.1.3).

use crate::domain::{CertificateKey, Revocation, RevocationReason, Version};
use crate::error::Error;
use crate::storage::{Query, UnitOfWork};

/// The code of the refusal.
pub(crate) const CODE: &str = "key_compromised";
/// Versions of one certificate that are looked at; it has so many within years.
const MOST: usize = 1_000;

/// Why nothing is certified for a key that was used before, if so: a version with it is revoked because of the key.
///
/// # Errors
/// The store's.
pub(crate) async fn refusal(unit: &UnitOfWork, used: Option<&CertificateKey>) -> Result<Option<Error>, Error> {
    let Some(key) = used else { return Ok(None) };
    let fields = Revocation::FIELDS;
    let revoked = Query::<Revocation>::all()
        .filter(fields.certificate_id.equals(key.certificate_id.clone()))
        .filter(fields.reason.equals(RevocationReason::KeyCompromise));
    let revoked = unit.list(revoked.limit(MOST)).await?.records;
    if revoked.is_empty() {
        return Ok(None);
    }
    let fields = Version::FIELDS;
    let with_it = Query::<Version>::all()
        .filter(fields.certificate_id.equals(key.certificate_id.clone()))
        .filter(fields.key_id.equals(key.id.clone()))
        .filter(fields.id.one_of(revoked.into_iter().map(|row| row.into_entity().version_id)));
    let message = "the key of this request is known to be compromised; make a new key";
    Ok((unit.total(&with_it).await? > 0).then(|| Error::conflict(CODE, message)))
}
