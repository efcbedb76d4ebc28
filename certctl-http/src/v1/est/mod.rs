//! The EST servers, for those who run them.

pub(crate) mod bulk_revoke;
pub(crate) mod profiles;
pub(crate) mod reload_trust;

use certctl_core::domain::{Profile, ProfileId, Timestamp};
use certctl_core::pki::certificate;

use crate::wire::TrustedCertificate;

/// The CAs that are trusted; what cannot be read is not.
pub(super) fn trusted(authorities: &[Vec<u8>], now: Timestamp) -> Vec<TrustedCertificate> {
    let facts = authorities.iter().filter_map(|der| certificate::parse(der).ok());
    facts.map(|facts| TrustedCertificate::at(facts, now)).collect()
}

/// A door that names no profile has the default one.
pub(super) fn profile_id(named: Option<&ProfileId>) -> String {
    named.map_or(Profile::DEFAULT_ID, |id| id.as_str()).to_owned()
}
