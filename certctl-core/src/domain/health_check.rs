//! Checks of what TLS endpoints serve, and what was seen.

use super::{CertificateId, Fingerprint, HealthCheckId, HealthEntryId, TargetId, Timestamp};
use crate::entity::Index;
use crate::{entity, text_enum, transitions};

text_enum! {
    /// How an endpoint does, as the wire names it.
    pub enum HealthStatus {
        /// Something else is served than should be.
        CertMismatch = "cert_mismatch",
        /// Several probes in a row failed.
        Degraded = "degraded",
        /// Many probes in a row failed.
        Down = "down",
        /// What should be served is served.
        Healthy = "healthy",
        /// Never probed.
        Unknown = "unknown",
    }
}

transitions! {
    HealthStatus as "endpoint" {
        Unknown => [Healthy, CertMismatch, Degraded, Down],
        Healthy => [CertMismatch, Degraded, Down],
        CertMismatch => [Healthy, Degraded, Down],
        Degraded => [Healthy, CertMismatch, Down],
        Down => [Healthy, CertMismatch, Degraded],
    }
}

entity! {
    /// A TLS endpoint that is probed again and again.
    pub struct HealthCheck in "endpoint_health_checks" as Mutable, fields HealthCheckFields {
        /// Its id.
        id: HealthCheckId,
        /// `host:port`.
        endpoint: String,
        /// The certificate that should be served there.
        certificate_id: Option<CertificateId>,
        /// The target that it was made for, after a verified deployment.
        target_id: Option<TargetId>,
        /// The network scan target that it belongs to.
        network_scan_target_id: Option<String>,
        /// What only one check that was made by itself may have: `CERTIFICATE:TARGET`.
        automatic: Option<String>,
        /// The server name to ask for; the endpoint's host when absent.
        server_name: Option<String>,
        /// What should be served; anything when absent.
        expected_fingerprint: Option<Fingerprint>,
        /// What was last served.
        observed_fingerprint: Option<Fingerprint>,
        /// How it does.
        status: HealthStatus,
        /// Probes that failed in a row.
        consecutive_failures: i64,
        /// How long the last handshake took, in milliseconds.
        response_time_ms: i64,
        /// Such as `TLSv1.3`; empty when there was none.
        tls_version: String,
        /// Such as `TLS13_AES_128_GCM_SHA256`.
        cipher_suite: String,
        /// The subject of what was last served.
        cert_subject: String,
        /// Its issuer.
        cert_issuer: String,
        /// Its end.
        cert_expiry: Option<Timestamp>,
        /// When it was last probed.
        last_checked_at: Option<Timestamp>,
        /// When that last went well.
        last_success_at: Option<Timestamp>,
        /// When it last failed.
        last_failure_at: Option<Timestamp>,
        /// When its status last changed.
        last_transition_at: Option<Timestamp>,
        /// Why it does not do well; empty when it does.
        failure_reason: String,
        /// Failures in a row after which it is degraded.
        degraded_threshold: i64,
        /// Failures in a row after which it is down.
        down_threshold: i64,
        /// Between two probes.
        check_interval_seconds: i64,
        /// For connecting and the handshake together.
        timeout_ms: i64,
        /// Whether it is probed.
        enabled: bool,
        /// Whether somebody knows of its trouble.
        acknowledged: bool,
        /// Who.
        acknowledged_by: Option<String>,
        /// Since when.
        acknowledged_at: Option<Timestamp>,
        /// When it is probed next; never when it is not enabled.
        due_at: Timestamp,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed, probes aside.
        updated_at: Timestamp,
    }
    indexes [
        Index::unique("endpoint_health_checks_automatic", &["automatic"]),
        Index::on("endpoint_health_checks_due", &["due_at", "id"]),
        Index::on("endpoint_health_checks_by_creation", &["created_at", "id"]),
        Index::on("endpoint_health_checks_certificate", &["certificate_id"]),
    ]
    references []
}

impl HealthCheck {
    /// Between two probes, in seconds, when nothing else is said.
    pub const INTERVAL: i64 = 300;
    /// For one handshake, in milliseconds, when nothing else is said.
    pub const TIMEOUT: i64 = 5_000;
    /// Failures in a row until it is degraded, when nothing else is said.
    pub const DEGRADED: i64 = 2;
    /// Failures in a row until it is down, when nothing else is said.
    pub const DOWN: i64 = 5;

    /// What only one check that was made by itself may have.
    pub fn automatic_slot(certificate: &CertificateId, target: &TargetId) -> String {
        format!("{certificate}:{target}")
    }
}

entity! {
    /// What one probe of an endpoint saw.
    pub struct HealthEntry in "endpoint_health_history" as Mutable, fields HealthEntryFields {
        /// Its id.
        id: HealthEntryId,
        /// Of which check. It may be gone: its history ends by age.
        health_check_id: HealthCheckId,
        /// How the endpoint did afterwards.
        status: HealthStatus,
        /// How long the handshake took, in milliseconds; 0 without one.
        response_time_ms: i64,
        /// What was served; absent without a handshake.
        fingerprint: Option<Fingerprint>,
        /// Why it did not do well; empty when it did.
        failure_reason: String,
        /// When it was probed.
        checked_at: Timestamp,
    }
    indexes [
        Index::on("endpoint_health_history_of", &["health_check_id", "checked_at", "id"]),
        Index::on("endpoint_health_history_by_age", &["checked_at", "id"]),
    ]
    references []
}
