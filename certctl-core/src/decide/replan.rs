//! When a certificate that exists already is due for renewal by the policy as it is now.

use super::renewal::{Advised, RenewalInput, RenewalVerdict, decide as decide_renewal};
use crate::domain::{Certificate, Lifecycle, RenewalAdvice, RenewalPolicy, Timestamp};

/// What decides about the renewal of a certificate that exists already.
#[derive(Clone, Copy, Debug)]
pub struct ReplanInput<'a> {
    /// The certificate as it is stored.
    pub certificate: &'a Certificate,
    /// The policy that it keeps to now.
    pub policy: &'a RenewalPolicy,
    /// Its newest version; `None` without one.
    pub newest: Option<Newest>,
    /// What CAs suggest for its versions, also for those that were replaced.
    pub advice: &'a [RenewalAdvice],
    /// Until when the quota of its issuer is used up.
    pub limited_until: Option<Timestamp>,
    /// The moment of the decision.
    pub now: Timestamp,
    /// Spreads certificates that are planned together.
    pub random: u64,
}

/// What of the newest version decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// First moment of validity.
    pub not_before: Timestamp,
    /// When it was issued, by the store's clock.
    pub issued_at: Timestamp,
}

/// What a certificate stores of its next renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// When the engine renews; never when it does not, and while a job is open.
    pub renew_at: Timestamp,
    /// From when the certificate counts as expiring.
    pub expiring_at: Timestamp,
}

/// The plan by the policy as it is now. A pause after failed renewals is kept: an edit of the policy mends nothing that failed.
pub fn decide(input: &ReplanInput<'_>) -> Plan {
    let certificate = input.certificate;
    let kept = Plan { renew_at: certificate.renew_at, expiring_at: certificate.expiring_at };
    match (certificate.lifecycle, verdict(input)) {
        (Lifecycle::Issued, Some(verdict)) => Plan {
            renew_at: match verdict.renew_at {
                Some(_) if certificate.renewing => Timestamp::NEVER,
                Some(at) if certificate.failed_renewals > 0 && certificate.renew_at != Timestamp::NEVER => {
                    at.max(certificate.renew_at)
                }
                Some(at) => at,
                None => Timestamp::NEVER,
            },
            expiring_at: verdict.expiring_at,
        },
        (Lifecycle::Failed, _) if !input.policy.auto_renew => Plan { renew_at: Timestamp::NEVER, ..kept },
        // Its turn has come, and the issuer would refuse.
        (Lifecycle::Failed, _) if limited(input).is_some_and(|until| certificate.renew_at < until) => {
            Plan { renew_at: limited(input).unwrap_or(certificate.renew_at), ..kept }
        }
        // Its first issuance is tried again, as it would have been if the policy had always renewed.
        (Lifecycle::Failed, _) if !certificate.renewing && certificate.renew_at == Timestamp::NEVER => {
            Plan { renew_at: input.now, ..kept }
        }
        // A retry stays where it is. What was never issued, is revoked or put away is not renewed by itself.
        _ => kept,
    }
}

/// Whether a certificate whose planned moment has come is due by the policy as it is now. The moment lies at random within a
/// range, so all of that range counts: else each look would toss the coin again. What failed is tried again also before that
/// range, for people may have begun it early. What is held back is not due.
pub fn is_due(input: &ReplanInput<'_>) -> bool {
    let (certificate, now) = (input.certificate, input.now);
    match certificate.lifecycle {
        Lifecycle::Issued => match verdict(input) {
            Some(verdict) if certificate.failed_renewals > 0 => {
                // It may be tried again long before its planned moment, which then says nothing of the window that has begun.
                let held_until = verdict.held_until().max(verdict.stages.frozen_until);
                input.policy.auto_renew && held_until.is_none_or(|until| until <= now)
            }
            Some(verdict) => verdict.is_due(now),
            None => input.policy.auto_renew && limited(input).is_none(),
        },
        Lifecycle::Failed => input.policy.auto_renew && limited(input).is_none(),
        Lifecycle::Pending | Lifecycle::Revoked | Lifecycle::Archived => false,
    }
}

fn limited(input: &ReplanInput<'_>) -> Option<Timestamp> {
    input.limited_until.filter(|until| *until > input.now)
}

/// What the renewal of an issued certificate comes to; `None` for one without a version.
pub fn verdict(input: &ReplanInput<'_>) -> Option<RenewalVerdict> {
    let newest = input.newest?;
    let certificate = input.certificate;
    Some(decide_renewal(&RenewalInput {
        issued_at: newest.issued_at,
        advice: advised(input.advice),
        limited_until: input.limited_until,
        now: input.now,
        ..RenewalInput::of(input.policy, (newest.not_before, certificate.expires_at), input.random)
    }))
}

/// The earliest advice for the newest version of each key holder. That for an older one is of no account, whatever its times.
pub fn advised(advice: &[RenewalAdvice]) -> Option<Advised> {
    let is_newest = |one: &&RenewalAdvice| {
        advice.iter().all(|other| other.key_holder != one.key_holder || other.issued_at <= one.issued_at)
    };
    let windows = advice.iter().filter(is_newest).filter_map(|one| {
        let selected = one.selected_at?;
        Some(Advised { start: one.window_start?.min(selected), selected })
    });
    windows
        .reduce(|one, other| Advised { start: one.start.min(other.start), selected: one.selected.min(other.selected) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{FreezeWindow, IssuerId, OwnerId, RenewalPolicyId, TeamId};
    use crate::entity::Json;

    fn day(day: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000_000) + Duration::from_secs(day * 86_400)
    }

    fn policy(auto_renew: bool, window: i64) -> RenewalPolicy {
        RenewalPolicy {
            id: RenewalPolicyId::default(),
            name: "policy".into(),
            renewal_window_days: window,
            auto_renew,
            max_retries: 3,
            retry_interval_seconds: 60,
            alert_thresholds_days: Json(vec![10, 7]),
            alert_severity_map: Json::default(),
            alert_channels: Json::default(),
            freeze_windows: Json(Vec::new()),
            fallback_issuer_ids: Json(Vec::new()),
            deployment_waves: None,
            created_at: day(0),
            updated_at: day(0),
        }
    }

    /// Valid from day 0 to day 90, planned for day 60.
    fn certificate() -> Certificate {
        Certificate {
            id: "mc-1".parse().unwrap(),
            name: "one".into(),
            common_name: "one.example.com".into(),
            sans: Json(vec![]),
            environment: String::new(),
            owner_id: OwnerId::default(),
            team_id: TeamId::default(),
            issuer_id: IssuerId::default(),
            renewal_policy_id: RenewalPolicyId::default(),
            certificate_profile_id: None,
            agent_id: None,
            tags: Json::default(),
            source: String::new(),
            lifecycle: Lifecycle::Issued,
            renewing: false,
            expires_at: day(90),
            expiring_at: day(60),
            renew_at: day(60),
            alert_at: Timestamp::NEVER,
            failed_renewals: 0,
            last_renewal_at: Some(day(0)),
            newest_version_id: None,
            last_deployment_at: None,
            revoked_at: None,
            revocation_reason: None,
            created_at: day(0),
            updated_at: day(0),
        }
    }

    fn at<'a>(now: u64, certificate: &'a Certificate, policy: &'a RenewalPolicy) -> ReplanInput<'a> {
        let version = matches!(certificate.lifecycle, Lifecycle::Issued | Lifecycle::Revoked);
        let newest = version.then(|| Newest { not_before: day(0), issued_at: day(0) });
        ReplanInput { certificate, policy, newest, advice: &[], limited_until: None, now: day(now), random: 0 }
    }

    #[test]
    fn the_plan_follows_the_policy() {
        let certificate = certificate();
        for (policy, renew_at, expiring_at) in [
            (policy(false, 0), Timestamp::NEVER, day(80)),
            (policy(true, 20), day(70), day(70)),
            (policy(true, 0), day(60), day(60)),
            (policy(true, 300), day(45), day(45)),
        ] {
            assert_eq!(decide(&at(30, &certificate, &policy)), Plan { renew_at, expiring_at });
        }
        let never = Certificate { renew_at: Timestamp::NEVER, expiring_at: day(80), ..certificate };
        assert_eq!(decide(&at(85, &never, &policy(true, 0))).renew_at, day(60), "overdue is due at once");
    }

    #[test]
    fn an_open_job_and_a_pause_after_failures_stay() {
        let on = policy(true, 20);
        let renewing = Certificate { renewing: true, renew_at: Timestamp::NEVER, ..certificate() };
        assert_eq!(decide(&at(61, &renewing, &on)), Plan { renew_at: Timestamp::NEVER, expiring_at: day(70) });
        let pausing = Certificate { failed_renewals: 3, renew_at: day(75), ..certificate() };
        assert_eq!(decide(&at(74, &pausing, &on)).renew_at, day(75));
        assert_eq!(decide(&at(74, &pausing, &policy(true, 10))).renew_at, day(80));
        assert_eq!(decide(&at(74, &pausing, &policy(false, 10))).renew_at, Timestamp::NEVER);
    }

    #[test]
    fn a_first_issuance_that_failed_follows_the_switch_alone() {
        let failed = Certificate {
            lifecycle: Lifecycle::Failed,
            expires_at: Timestamp::NEVER,
            expiring_at: Timestamp::NEVER,
            renew_at: Timestamp::NEVER,
            ..certificate()
        };
        assert_eq!(decide(&at(5, &failed, &policy(true, 0))).renew_at, day(5));
        assert_eq!(decide(&at(5, &failed, &policy(false, 0))).renew_at, Timestamp::NEVER);
        let planned = Certificate { renew_at: day(6), ..failed };
        assert_eq!(decide(&at(5, &planned, &policy(true, 0))).renew_at, day(6));
        assert_eq!(decide(&at(5, &planned, &policy(false, 0))).renew_at, Timestamp::NEVER);
        for lifecycle in [Lifecycle::Pending, Lifecycle::Revoked, Lifecycle::Archived] {
            let other = Certificate { lifecycle, renew_at: Timestamp::NEVER, ..certificate() };
            assert_eq!(decide(&at(5, &other, &policy(true, 0))).renew_at, Timestamp::NEVER, "{lifecycle}");
            assert!(!is_due(&at(89, &other, &policy(true, 0))), "{lifecycle}");
        }
    }

    #[test]
    fn what_comes_due_is_due_if_any_random_number_would_have_it_so() {
        let certificate = certificate();
        for (now, policy, due) in [
            (60, policy(true, 0), true),
            (57, policy(true, 0), true),
            (56, policy(true, 0), false),
            (60, policy(true, 20), false),
            (68, policy(true, 20), true),
            (89, policy(false, 20), false),
        ] {
            for random in [0, 1, u64::MAX] {
                let input = ReplanInput { random, ..at(now, &certificate, &policy) };
                assert_eq!(is_due(&input), due, "day {now}, window {}", policy.renewal_window_days);
                // What is not due is never planned for a moment that has passed: it would be looked at for ever.
                assert!(due || decide(&input).renew_at > input.now);
            }
        }
        // People began it on day 9, and it failed.
        let failed = Certificate { failed_renewals: 1, renew_at: day(10), ..certificate };
        assert!(is_due(&at(10, &failed, &policy(true, 0))));
        assert!(!is_due(&at(10, &failed, &policy(false, 0))));
        // Nor is it tried again while nothing is to be renewed, although its planned moment lies behind that.
        let window = FreezeWindow { starts_at: day(9), ends_at: day(20), reason: String::new() };
        let frozen = RenewalPolicy { freeze_windows: Json(vec![window]), ..policy(true, 0) };
        assert!(!is_due(&at(10, &failed, &frozen)) && is_due(&at(20, &failed, &frozen)));
        assert!(decide(&at(10, &failed, &frozen)).renew_at >= day(20));
    }

    #[test]
    fn what_is_held_back_is_not_due_and_not_planned_for_the_past() {
        let (certificate, policy) = (certificate(), policy(true, 0));
        let window = FreezeWindow { starts_at: day(55), ends_at: day(70), reason: String::new() };
        let frozen = RenewalPolicy { freeze_windows: Json(vec![window]), ..policy.clone() };
        for (now, due) in [(57, false), (60, false), (69, false), (70, true)] {
            for random in [0, 1, u64::MAX] {
                let input = ReplanInput { random, ..at(now, &certificate, &frozen) };
                assert_eq!(is_due(&input), due, "day {now}");
                assert!(due || decide(&input).renew_at >= day(70));
            }
        }
        let limited = ReplanInput { limited_until: Some(day(61)), ..at(60, &certificate, &policy) };
        assert!(!is_due(&limited) && decide(&limited).renew_at == day(61));
        assert!(is_due(&ReplanInput { now: day(61), ..limited }));
        // A first issuance has no window, but a quota.
        let failed = Certificate { lifecycle: Lifecycle::Failed, expires_at: Timestamp::NEVER, ..certificate };
        assert!(is_due(&at(60, &failed, &frozen)));
        let limited = ReplanInput { limited_until: Some(day(61)), ..at(60, &failed, &policy) };
        assert!(!is_due(&limited) && decide(&limited).renew_at == day(61));
    }

    #[test]
    fn advice_counts_for_the_newest_version_of_each_key_holder() {
        let advice = |id: &str, holder: &str, issued, selected| RenewalAdvice {
            id: id.parse().unwrap(),
            certificate_id: "mc-1".parse().unwrap(),
            key_holder: holder.into(),
            issuer_id: IssuerId::default(),
            renewal_info_id: String::new(),
            issued_at: day(issued),
            window_start: Some(day(selected)),
            window_end: Some(day(selected + 2)),
            selected_at: Some(day(selected + 1)),
            explanation_url: None,
            checked_at: None,
            next_check: Timestamp::NEVER,
            failures: 0,
            last_error: None,
        };
        // The window of the replaced version has passed long ago, and says nothing about its successor.
        let all = [advice("cv-1", "a", 0, 1), advice("cv-2", "a", 20, 50), advice("cv-3", "b", 20, 40)];
        assert_eq!(advised(&all), Some(Advised { start: day(40), selected: day(41) }));
        let unanswered = RenewalAdvice { selected_at: None, ..advice("cv-4", "b", 30, 0) };
        assert_eq!(advised(&[all[1].clone(), all[2].clone(), unanswered]).unwrap().selected, day(51));
        assert_eq!(advised(&[]), None);
    }
}
