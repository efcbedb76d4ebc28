//! Revocation lists: made ahead of whoever asks, stored with their number, and read back by every process.

mod build;
mod make;
mod parts;

use std::time::Duration;

pub(crate) use make::make;
pub(crate) use parts::load;

/// How long a list is valid: the next one is there by then (requirements B10).
pub(crate) const VALIDITY: Duration = Duration::from_secs(24 * 3_600);
/// A list that nothing changes is made again after this time, so that a failure is noticed long before the old one ends.
pub(crate) const HALF_LIFE: Duration = Duration::from_secs(12 * 3_600);
