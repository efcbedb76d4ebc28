//! How an endpoint does after a probe (requirements B17).

use crate::domain::{Fingerprint, HealthCheck, HealthStatus};

/// What a probe saw: what is served, or that there was no handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// A certificate with this fingerprint is served.
    Served(Fingerprint),
    /// No handshake.
    Nothing,
}

/// How the endpoint does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthVerdict {
    /// Its status.
    pub status: HealthStatus,
    /// Failures in a row.
    pub failures: i64,
}

/// Judges a probe. An endpoint that was never seen is first given the benefit of the doubt, until it counts as degraded.
pub fn decide(check: &HealthCheck, sight: Sight) -> HealthVerdict {
    let failures = match sight {
        Sight::Served(seen) => {
            let fits = check.expected_fingerprint.is_none_or(|expected| expected == seen);
            let status = if fits { HealthStatus::Healthy } else { HealthStatus::CertMismatch };
            return HealthVerdict { status, failures: 0 };
        }
        Sight::Nothing => check.consecutive_failures.saturating_add(1),
    };
    let status = if failures >= check.down_threshold {
        HealthStatus::Down
    } else if failures >= check.degraded_threshold {
        HealthStatus::Degraded
    } else if check.status == HealthStatus::Unknown {
        HealthStatus::Healthy
    } else {
        check.status
    };
    HealthVerdict { status, failures }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use HealthStatus::{Degraded, Down, Healthy};

    fn check(status: HealthStatus, failures: i64, expected: Option<Fingerprint>) -> HealthCheck {
        HealthCheck {
            id: "hc-1".parse().unwrap(),
            endpoint: "shop.example:443".into(),
            certificate_id: None,
            target_id: None,
            network_scan_target_id: None,
            automatic: None,
            server_name: None,
            expected_fingerprint: expected,
            observed_fingerprint: None,
            status,
            consecutive_failures: failures,
            response_time_ms: 0,
            tls_version: String::new(),
            cipher_suite: String::new(),
            cert_subject: String::new(),
            cert_issuer: String::new(),
            cert_expiry: None,
            last_checked_at: None,
            last_success_at: None,
            last_failure_at: None,
            last_transition_at: None,
            failure_reason: String::new(),
            degraded_threshold: 2,
            down_threshold: 5,
            check_interval_seconds: 300,
            timeout_ms: 5_000,
            enabled: true,
            acknowledged: false,
            acknowledged_by: None,
            acknowledged_at: None,
            due_at: Timestamp(0),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    #[test]
    fn failures_in_a_row_make_it_degraded_and_then_down() {
        let mut check = check(HealthStatus::Unknown, 0, None);
        let mut seen = Vec::new();
        for _ in 0..6 {
            let verdict = decide(&check, Sight::Nothing);
            (check.status, check.consecutive_failures) = (verdict.status, verdict.failures);
            seen.push(verdict.status);
        }
        assert_eq!(seen, [Healthy, Degraded, Degraded, Degraded, Down, Down]);
        let back = decide(&check, Sight::Served(Fingerprint::of(b"a")));
        assert_eq!(back, HealthVerdict { status: Healthy, failures: 0 });
    }

    #[test]
    fn what_is_served_is_compared_with_what_should_be() {
        let (right, wrong) = (Fingerprint::of(b"right"), Fingerprint::of(b"wrong"));
        for status in HealthStatus::ALL {
            let check = check(*status, 4, Some(right));
            let seen = decide(&check, Sight::Served(wrong));
            assert_eq!(seen, HealthVerdict { status: HealthStatus::CertMismatch, failures: 0 });
            assert_eq!(decide(&check, Sight::Served(right)).status, Healthy);
        }
        assert_eq!(decide(&check(Down, 9, None), Sight::Served(wrong)).status, Healthy);
    }

    #[test]
    fn one_failure_changes_nothing_that_is_known() {
        for status in [Healthy, HealthStatus::CertMismatch, Degraded] {
            assert_eq!(decide(&check(status, 0, None), Sight::Nothing), HealthVerdict { status, failures: 1 });
        }
    }
}
