//! When a certificate is due for renewal.

use std::time::Duration;

use crate::domain::{RenewalPolicy, Timestamp};

/// What decides about the next renewal of an issued certificate.
#[derive(Clone, Copy, Debug)]
pub struct RenewalInput {
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
    /// The policy's window; zero for a fraction of the lifetime.
    pub window: Duration,
    /// Whether the certificate renews by itself.
    pub auto_renew: bool,
    /// The first alert threshold of the policy, for certificates that do not renew by themselves.
    pub first_alert: Duration,
    /// Spreads certificates that were issued together.
    pub random: u64,
}

impl RenewalInput {
    /// What a policy says about a certificate that is valid from `not_before` to `not_after`.
    pub fn of(policy: &RenewalPolicy, not_before: Timestamp, not_after: Timestamp, random: u64) -> Self {
        let first_alert = policy.alert_thresholds_days.iter().copied().max().unwrap_or(0);
        Self {
            not_before,
            not_after,
            window: days(policy.renewal_window_days),
            auto_renew: policy.auto_renew,
            first_alert: days(first_alert),
            random,
        }
    }
}

fn days(days: i64) -> Duration {
    Duration::from_secs(u64::try_from(days).unwrap_or(0).saturating_mul(86_400))
}

/// Why renewal is due when it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewalReason {
    /// The policy says not to.
    AutoRenewOff,
    /// The policy's window.
    Window,
    /// The policy's window is longer than half of the lifetime, which is used instead.
    WindowCut,
    /// One third of the lifetime is left.
    Third,
    /// Half of a lifetime below ten days is left.
    Half,
}

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewalVerdict {
    /// When the engine renews; `None` when it does not.
    pub renew_at: Option<Timestamp>,
    /// The earliest moment that `renew_at` could have been for another random number; `None` when the engine does not renew.
    pub earliest: Option<Timestamp>,
    /// From when the certificate counts as expiring: the renewal due moment, or the first alert where nothing renews it.
    pub expiring_at: Timestamp,
    /// Why.
    pub reason: RenewalReason,
}

const SHORT: Duration = Duration::from_secs(10 * 86_400);

/// The rules in order; the first that has an answer decides (requirements B4). The last always has one.
const RULES: &[fn(&RenewalInput) -> Option<RenewalVerdict>] = &[auto_renew_off, window];

/// When the certificate is due for renewal.
pub fn decide(input: &RenewalInput) -> RenewalVerdict {
    RULES.iter().find_map(|rule| rule(input)).unwrap_or_else(|| fraction(input))
}

fn auto_renew_off(input: &RenewalInput) -> Option<RenewalVerdict> {
    (!input.auto_renew).then(|| RenewalVerdict {
        renew_at: None,
        earliest: None,
        expiring_at: (input.not_after - input.first_alert).max(input.not_before),
        reason: RenewalReason::AutoRenewOff,
    })
}

fn window(input: &RenewalInput) -> Option<RenewalVerdict> {
    if input.window.is_zero() {
        return None;
    }
    let half = lifetime(input) / 2;
    Some(if input.window > half {
        due(input, half, RenewalReason::WindowCut)
    } else {
        due(input, input.window, RenewalReason::Window)
    })
}

fn fraction(input: &RenewalInput) -> RenewalVerdict {
    let lifetime = lifetime(input);
    if lifetime < SHORT {
        due(input, lifetime / 2, RenewalReason::Half)
    } else {
        due(input, lifetime / 3, RenewalReason::Third)
    }
}

fn lifetime(input: &RenewalInput) -> Duration {
    input.not_after.since(input.not_before)
}

/// `left` before the end, and up to a tenth of that earlier: never later, so that a deadline is never jittered away.
fn due(input: &RenewalInput, left: Duration, reason: RenewalReason) -> RenewalVerdict {
    let spread = u64::try_from(left.as_micros() / 10).unwrap_or(u64::MAX - 1);
    let earlier = |micros| (input.not_after - left - Duration::from_micros(micros)).max(input.not_before);
    let renew_at = earlier(input.random % (spread + 1));
    RenewalVerdict { renew_at: Some(renew_at), earliest: Some(earlier(spread)), expiring_at: renew_at, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(lifetime: Duration) -> RenewalInput {
        let not_before = Timestamp::from_unix_seconds(1_000_000_000);
        RenewalInput {
            not_before,
            not_after: not_before + lifetime,
            window: Duration::ZERO,
            auto_renew: true,
            first_alert: Duration::from_secs(30 * 86_400),
            random: 0,
        }
    }
    fn days(days: u64) -> Duration {
        Duration::from_secs(days * 86_400)
    }

    #[test]
    fn a_third_is_left_of_long_lifetimes_and_half_of_short_ones() {
        for (lifetime, left, reason) in [
            (days(90), days(30), RenewalReason::Third),
            (days(47), days(47) / 3, RenewalReason::Third),
            (days(6), days(3), RenewalReason::Half),
            (Duration::from_secs(300), Duration::from_secs(150), RenewalReason::Half),
            (days(3650), days(3650) / 3, RenewalReason::Third),
        ] {
            let verdict = decide(&input(lifetime));
            assert_eq!(verdict.reason, reason);
            assert_eq!(verdict.renew_at, Some(input(lifetime).not_after - left));
        }
    }

    #[test]
    fn a_window_is_cut_to_half_of_the_lifetime() {
        let verdict = decide(&RenewalInput { window: days(20), ..input(days(90)) });
        assert_eq!(
            (verdict.reason, verdict.renew_at),
            (RenewalReason::Window, Some(input(days(90)).not_after - days(20)))
        );
        let verdict = decide(&RenewalInput { window: days(60), ..input(days(90)) });
        assert_eq!(
            (verdict.reason, verdict.renew_at),
            (RenewalReason::WindowCut, Some(input(days(90)).not_after - days(45)))
        );
    }

    #[test]
    fn jitter_only_makes_it_earlier_and_stays_within_the_validity() {
        for random in [0, 7, u64::MAX / 2, u64::MAX] {
            let input = RenewalInput { random, ..input(days(90)) };
            let renew_at = decide(&input).renew_at.unwrap();
            assert!(renew_at <= input.not_after - days(30) && renew_at >= input.not_after - days(33), "{random}");
            assert_eq!(decide(&input).earliest, Some(input.not_after - days(33)));
        }
    }

    #[test]
    fn without_auto_renewal_the_first_alert_marks_the_end() {
        let verdict = decide(&RenewalInput { auto_renew: false, ..input(days(90)) });
        assert_eq!((verdict.renew_at, verdict.earliest), (None, None));
        assert_eq!(verdict.expiring_at, input(days(90)).not_after - days(30));
    }
}
