//! At how many days before its end people are told of a certificate.
//!
//! Where all goes well nobody is: a renewal comes before the threshold does. So a threshold counts only when it lies behind the
//! moment at which the renewal was due, or when nothing renews the certificate, or when its last renewal failed
//! (requirements B12).

use std::time::Duration;

use crate::domain::{Certificate, EnrolSource, RenewalPolicy, Timestamp};

/// What decides about the alerts of an issued certificate.
#[derive(Clone, Copy, Debug)]
pub struct AlertInput<'a> {
    /// The policy's thresholds, in days before the end.
    pub thresholds: &'a [i64],
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
    /// When the renewal is due.
    pub due: Timestamp,
    /// Whether the certificate renews by itself.
    pub auto_renew: bool,
    /// Whether the last renewal used up its attempts.
    pub failed: bool,
    /// The moment of the decision.
    pub now: Timestamp,
}

impl<'a> AlertInput<'a> {
    /// What a policy says about a certificate whose newest version is valid from `not_before` on.
    pub fn of(certificate: &Certificate, policy: &'a RenewalPolicy, not_before: Timestamp, now: Timestamp) -> Self {
        Self {
            thresholds: &policy.alert_thresholds_days,
            not_before,
            not_after: certificate.expires_at,
            due: due(certificate),
            auto_renew: policy.auto_renew,
            failed: certificate.failed_renewals > 0,
            now,
        }
    }
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertVerdict {
    /// The thresholds that count and whose moment has come, the earliest first. Who was told already is not known here.
    pub passed: Vec<i64>,
    /// When the next one that counts comes; `None` when there is none.
    pub next: Option<Timestamp>,
}

/// Which thresholds have come, and which one is next.
pub fn decide(input: &AlertInput<'_>) -> AlertVerdict {
    let mut thresholds: Vec<(Timestamp, i64)> =
        input.thresholds.iter().map(|days| (moment(input, *days), *days)).collect();
    thresholds.sort_unstable();
    thresholds.dedup();
    // Of those that are longer than the whole lifetime, one says as much as all.
    let before = thresholds.iter().filter(|(at, _)| *at <= input.not_before).count();
    thresholds.drain(..before.saturating_sub(1));
    thresholds.retain(|(at, _)| !input.auto_renew || input.failed || *at > input.due);
    let passed = thresholds.iter().filter(|(at, _)| *at <= input.now).map(|(_, days)| *days).collect();
    let next = thresholds.iter().map(|(at, _)| *at).find(|at| *at > input.now);
    AlertVerdict { passed, next }
}

/// When to look at the certificate: at once where a threshold has come, else at the next one; never where there is none.
pub fn look_at(input: &AlertInput<'_>) -> Timestamp {
    let verdict = decide(input);
    if verdict.passed.is_empty() { verdict.next.unwrap_or(Timestamp::NEVER) } else { input.now }
}

/// When the renewal is due. Machines that enrolled by themselves come when their own clock says so, such as thirty days before
/// the end: until a quarter of what is left then has passed they are not late.
fn due(certificate: &Certificate) -> Timestamp {
    let due = certificate.expiring_at;
    if EnrolSource::is_of(certificate) { due + certificate.expires_at.since(due) / 4 } else { due }
}

fn moment(input: &AlertInput<'_>, days: i64) -> Timestamp {
    input.not_after - Duration::from_secs(u64::try_from(days).unwrap_or(0).saturating_mul(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000_000) + Duration::from_secs(day * 86_400)
    }

    /// Valid from day 0 to day 90, renewal due on day 59.
    fn on(now: u64) -> AlertInput<'static> {
        AlertInput {
            thresholds: &[30, 14, 7, 0],
            not_before: day(0),
            not_after: day(90),
            due: day(59),
            auto_renew: true,
            failed: false,
            now: day(now),
        }
    }

    fn is(passed: &[i64], next: Option<u64>) -> AlertVerdict {
        AlertVerdict { passed: passed.to_vec(), next: next.map(day) }
    }

    #[test]
    fn thresholds_come_one_after_the_other() {
        assert_eq!(decide(&on(0)), is(&[], Some(60)));
        assert_eq!(decide(&on(60)), is(&[30], Some(76)));
        assert_eq!(decide(&on(76)), is(&[30, 14], Some(83)));
        assert_eq!(decide(&on(83)), is(&[30, 14, 7], Some(90)));
        assert_eq!(decide(&on(200)), is(&[30, 14, 7, 0], None));
        assert_eq!(decide(&AlertInput { thresholds: &[], ..on(200) }), is(&[], None));
        assert_eq!(decide(&AlertInput { thresholds: &[7, 14, 7], ..on(84) }), is(&[14, 7], None));
    }

    #[test]
    fn what_lies_before_the_renewal_counts_only_where_nothing_renews() {
        let late = AlertInput { due: day(80), ..on(84) };
        assert_eq!(decide(&late), is(&[7], Some(90)));
        assert_eq!(decide(&AlertInput { due: day(83), ..late }), is(&[], Some(90)), "at the moment is not after it");
        assert_eq!(decide(&AlertInput { failed: true, ..late }), is(&[30, 14, 7], Some(90)));
        assert_eq!(decide(&AlertInput { auto_renew: false, ..late }), is(&[30, 14, 7], Some(90)));
    }

    #[test]
    fn thresholds_beyond_the_whole_lifetime_are_one() {
        // Six days, renewed after three.
        let short = AlertInput { not_after: day(6), due: day(3), ..on(1) };
        assert_eq!(decide(&short), is(&[], Some(6)), "nothing is wrong");
        assert_eq!(decide(&AlertInput { failed: true, ..short }), is(&[7], Some(6)));
        assert_eq!(decide(&AlertInput { auto_renew: false, ..short }), is(&[7], Some(6)));
    }

    #[test]
    fn it_is_looked_at_when_there_is_something_to_tell() {
        assert_eq!(look_at(&on(0)), day(60));
        assert_eq!(look_at(&on(61)), day(61));
        assert_eq!(look_at(&AlertInput { failed: true, due: day(89), ..on(62) }), day(62));
        assert_eq!(look_at(&AlertInput { thresholds: &[], ..on(62) }), Timestamp::NEVER);
    }
}
