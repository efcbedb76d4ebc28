//! The circuit breaker of an issuer: after failures in a row others are asked, until it is worth a try again.

use std::time::Duration;

use crate::connector::ConnectorErrorKind;
use crate::domain::{IssuerHealth, IssuerId, Timestamp};
use crate::text_enum;

/// Failures in a row after which the breaker opens.
pub const FAILURES: i64 = 5;
/// How long it is open for the first time; doubled each further time in a row.
const FIRST: Duration = Duration::from_mins(1);
/// How long at most.
const LONGEST: Duration = Duration::from_hours(1);
/// A quota that names no moment is tried again after this.
const QUOTA: Duration = Duration::from_hours(1);
/// Whatever an issuer says, it is asked again within this.
const LONGEST_QUOTA: Duration = Duration::from_hours(24 * 7);

text_enum! {
    /// What a breaker lets through.
    pub enum BreakerState {
        /// Everything.
        Closed = "closed",
        /// Its time is over: orders try whether the issuer is well again.
        HalfOpen = "half_open",
        /// Nothing, as long as another issuer can be asked.
        Open = "open",
    }
}

/// The state of an issuer's breaker at `now`.
pub fn state(health: Option<&IssuerHealth>, now: Timestamp) -> BreakerState {
    match health.and_then(|health| health.open_until) {
        None => BreakerState::Closed,
        Some(until) if until > now => BreakerState::Open,
        Some(_) => BreakerState::HalfOpen,
    }
}

/// Until when the issuer's quota is used up, if it is at `now`.
pub fn limited_until(health: Option<&IssuerHealth>, now: Timestamp) -> Option<Timestamp> {
    health.and_then(|health| health.limited_until).filter(|until| *until > now)
}

/// An issuer that nothing is known of.
pub fn unknown(id: &IssuerId) -> IssuerHealth {
    IssuerHealth {
        id: id.clone(),
        failures: 0,
        openings: 0,
        open_until: None,
        limited_until: None,
        last_error: None,
        last_failure_at: None,
        recovered_at: None,
    }
}

/// A failed order.
#[derive(Clone, Copy, Debug)]
pub struct FailedOrder<'a> {
    /// What kind of failure.
    pub kind: ConnectorErrorKind,
    /// Why, for people.
    pub error: &'a str,
    /// When the issuer asks to be asked again.
    pub retry_after: Option<Duration>,
}

/// How the issuer fares after a failed order; `None` where the order was to blame.
pub fn failed(before: &IssuerHealth, order: FailedOrder<'_>, now: Timestamp) -> Option<IssuerHealth> {
    let told = IssuerHealth {
        last_error: Some(order.error.chars().take(2_000).collect()),
        last_failure_at: Some(now),
        ..before.clone()
    };
    match order.kind {
        ConnectorErrorKind::Quota => {
            let pause = order.retry_after.unwrap_or(QUOTA).min(LONGEST_QUOTA);
            Some(IssuerHealth { limited_until: Some((now + pause).max(before.limited_until.unwrap_or(now))), ..told })
        }
        ConnectorErrorKind::Auth | ConnectorErrorKind::Transient | ConnectorErrorKind::Unreachable => {
            let failures = before.failures.saturating_add(1);
            // What fails while it is open was under way before it opened.
            let opens = failures >= FAILURES && state(Some(before), now) != BreakerState::Open;
            if !opens {
                return Some(IssuerHealth { failures, ..told });
            }
            let doublings = u32::try_from(before.openings.clamp(0, 8)).unwrap_or(8);
            let pause = FIRST.saturating_mul(1 << doublings).min(LONGEST);
            Some(IssuerHealth {
                failures,
                openings: before.openings.saturating_add(1),
                open_until: Some(now + pause),
                ..told
            })
        }
        ConnectorErrorKind::Challenge
        | ConnectorErrorKind::Lineage
        | ConnectorErrorKind::Permanent
        | ConnectorErrorKind::Policy => None,
    }
}

/// How the issuer fares after an order that succeeded; `None` where nothing changes.
pub fn succeeded(before: &IssuerHealth, now: Timestamp) -> Option<IssuerHealth> {
    let well = before.failures == 0 && before.open_until.is_none() && limited_until(Some(before), now).is_none();
    (!well).then(|| IssuerHealth {
        failures: 0,
        openings: 0,
        open_until: None,
        limited_until: None,
        recovered_at: Some(now),
        ..before.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000_000) + Duration::from_secs(seconds)
    }

    fn order(kind: ConnectorErrorKind) -> FailedOrder<'static> {
        FailedOrder { kind, error: "no", retry_after: None }
    }

    #[test]
    fn a_breaker_opens_after_failures_in_a_row_and_longer_each_time() {
        let mut health = unknown(&IssuerId::default());
        for _ in 1..FAILURES {
            health = failed(&health, order(ConnectorErrorKind::Transient), at(0)).unwrap();
            assert_eq!(state(Some(&health), at(0)), BreakerState::Closed);
        }
        let mut now = 0;
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            health = failed(&health, order(ConnectorErrorKind::Unreachable), at(now)).unwrap();
            assert_eq!(state(Some(&health), at(now)), BreakerState::Open);
            // Orders that were under way prolong nothing.
            let more = failed(&health, order(ConnectorErrorKind::Unreachable), at(now + 1)).unwrap();
            assert_eq!(more.open_until, health.open_until);
            now += minutes * 60;
            assert_eq!(state(Some(&health), at(now - 1)), BreakerState::Open, "{minutes}");
            assert_eq!(state(Some(&health), at(now)), BreakerState::HalfOpen, "{minutes}");
        }
        let health = succeeded(&health, at(now)).unwrap();
        assert_eq!((state(Some(&health), at(now)), health.failures), (BreakerState::Closed, 0));
        assert_eq!(succeeded(&health, at(now)), None);
    }

    #[test]
    fn an_order_that_is_to_blame_itself_counts_for_nothing() {
        use ConnectorErrorKind::{Challenge, Lineage, Permanent, Policy};
        let health = unknown(&IssuerId::default());
        for kind in [Permanent, Policy, Lineage, Challenge] {
            assert_eq!(failed(&health, order(kind), at(0)), None);
        }
    }

    #[test]
    fn a_used_up_quota_is_known_until_the_issuer_says() {
        let health = unknown(&IssuerId::default());
        let quota = FailedOrder { retry_after: Some(Duration::from_secs(90)), ..order(ConnectorErrorKind::Quota) };
        let health = failed(&health, quota, at(0)).unwrap();
        assert_eq!(limited_until(Some(&health), at(89)), Some(at(90)));
        assert_eq!(limited_until(Some(&health), at(90)), None);
        assert_eq!(state(Some(&health), at(0)), BreakerState::Closed, "it is well, and says when");
    }
}
