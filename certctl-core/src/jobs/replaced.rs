//! What a renewal replaces.

use crate::domain::{Certificate, Lifecycle, Serial, Version};
use crate::error::Error;
use crate::storage::{Query, UnitOfWork};

/// The serial of the newest version of this key holder, which the next one replaces; `None` when it is the first.
pub(crate) async fn serial(
    unit: &UnitOfWork,
    certificate: &Certificate,
    key_holder: &str,
) -> Result<Option<Serial>, Error> {
    if certificate.lifecycle == Lifecycle::Pending {
        return Ok(None);
    }
    let newest = Query::<Version>::sorted(Version::FIELDS.created_at.descending())
        .filter(Version::FIELDS.certificate_id.equals(certificate.id.clone()))
        .filter(Version::FIELDS.key_holder.equals(key_holder.to_owned()));
    Ok(unit.first(newest).await?.map(|version| version.into_entity().serial_number))
}
