//! When a certificate should be renewed (RFC 9773 §4.2).

use std::time::Duration;

use crate::domain::Timestamp;

/// Below this lifetime renewal is due at half of it, else when a third is left (requirements B4).
const SHORT: Duration = Duration::from_secs(10 * 86_400);

/// The window that is suggested for a certificate: a fiftieth of its lifetime to both sides of the moment when it is due. Of one
/// that was revoked it has passed, so that clients renew at once.
pub(super) fn window(
    (not_before, not_after): (Timestamp, Timestamp),
    revoked_at: Option<Timestamp>,
) -> (Timestamp, Timestamp) {
    let lifetime = not_after.since(not_before);
    if let Some(revoked_at) = revoked_at {
        let end = revoked_at.min(not_after);
        return (end - lifetime / 50, end);
    }
    let left = if lifetime < SHORT { lifetime / 2 } else { lifetime / 3 };
    let due = not_after - left;
    // The end lies within the validity, whatever the rounding of seconds does to it.
    (due - lifetime / 50, due + lifetime / 50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_lies_around_the_moment_when_renewal_is_due() {
        let days = |days: u64| Timestamp(0) + Duration::from_secs(days * 86_400);
        assert_eq!(window((days(0), days(90)), None).0, days(60) - Duration::from_secs(155_520));
        assert_eq!(window((days(0), days(90)), None).1, days(60) + Duration::from_secs(155_520));
        let (start, end) = window((days(0), days(6)), None);
        assert!(start < days(3) && days(3) < end && end < days(6));
        let (start, end) = window((days(0), days(90)), Some(days(10)));
        assert!(start < end && end == days(10));
    }
}
