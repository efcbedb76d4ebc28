//! Checks of what TLS endpoints serve.

use certctl_core::domain::{
    CertificateId, Fingerprint, HealthCheck, HealthCheckId, HealthEntry, HealthStatus, Timestamp,
};
use certctl_core::ops::health_check::HealthSummary;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names;
use super::patch::unless_empty;

/// A TLS endpoint that is probed again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EndpointHealthCheck {
    /// Its id.
    #[schema(value_type = String)]
    pub id: HealthCheckId,
    /// `host:port`.
    pub endpoint: String,
    /// The certificate that should be served there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub certificate_id: Option<CertificateId>,
    /// The target that it was made for, after a verified deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub target_id: Option<String>,
    /// The network scan target that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub network_scan_target_id: Option<String>,
    /// SHA-256 of the certificate that should be served, lower-case hex; empty for any.
    pub expected_fingerprint: String,
    /// SHA-256 of the certificate that was last served; empty when there was none.
    pub observed_fingerprint: String,
    /// How it does.
    #[schema(value_type = names::HealthStatus)]
    pub status: HealthStatus,
    /// Probes that failed in a row.
    pub consecutive_failures: i64,
    /// How long the last handshake took, in milliseconds.
    pub response_time_ms: i64,
    /// Such as `TLSv1.3`; empty when there was no handshake.
    pub tls_version: String,
    /// Such as `TLS13_AES_128_GCM_SHA256`.
    pub cipher_suite: String,
    /// The subject of the certificate that was last served.
    pub cert_subject: String,
    /// Its issuer.
    pub cert_issuer: String,
    /// Its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub cert_expiry: Option<Timestamp>,
    /// When it was last probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub last_checked_at: Option<Timestamp>,
    /// When that last went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub last_success_at: Option<Timestamp>,
    /// When it last failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub last_failure_at: Option<Timestamp>,
    /// When its status last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub last_transition_at: Option<Timestamp>,
    /// Why it does not do well; empty when it does.
    pub failure_reason: String,
    /// Failures in a row after which it is degraded.
    pub degraded_threshold: i64,
    /// Failures in a row after which it is down.
    pub down_threshold: i64,
    /// Between two probes, in seconds.
    pub check_interval_seconds: i64,
    /// For connecting and the handshake together, in milliseconds.
    pub timeout_ms: i64,
    /// Whether it is probed.
    pub enabled: bool,
    /// Whether somebody knows of its trouble.
    pub acknowledged: bool,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub acknowledged_by: Option<String>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub acknowledged_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed, probes aside.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// Makes a health check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateHealthCheckRequest)]
pub struct CreateHealthCheck {
    /// An id of the client's choice; generated when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub id: Option<HealthCheckId>,
    /// `host:port`, or a host alone, whose port is 443.
    #[schema(min_length = 1, max_length = 300)]
    pub endpoint: String,
    /// The certificate that should be served there, for whom its alerts are.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub certificate_id: Option<CertificateId>,
    /// The network scan target that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub network_scan_target_id: Option<String>,
    /// SHA-256 of the certificate that should be served; any when absent or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expected_fingerprint: Option<String>,
    /// Between two probes, in seconds; 300 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 30, maximum = 604_800)]
    pub check_interval_seconds: Option<i64>,
    /// For connecting and the handshake together, in milliseconds; 5000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 100, maximum = 60_000)]
    pub timeout_ms: Option<i64>,
    /// Failures in a row until it is degraded; 2 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 1_000)]
    pub degraded_threshold: Option<i64>,
    /// Failures in a row until it is down; 5 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 1_000)]
    pub down_threshold: Option<i64>,
    /// Whether it is probed; `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
}

/// Changes the members that are given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = UpdateHealthCheckRequest)]
pub struct UpdateHealthCheck {
    /// Another endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 300)]
    pub endpoint: Option<String>,
    /// Another certificate.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub certificate_id: Option<CertificateId>,
    /// SHA-256 of the certificate that should be served from now on; empty for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expected_fingerprint: Option<String>,
    /// Between two probes, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 30, maximum = 604_800)]
    pub check_interval_seconds: Option<i64>,
    /// For connecting and the handshake together, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 100, maximum = 60_000)]
    pub timeout_ms: Option<i64>,
    /// Failures in a row until it is degraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 1_000)]
    pub degraded_threshold: Option<i64>,
    /// Failures in a row until it is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 1_000)]
    pub down_threshold: Option<i64>,
    /// Whether it is probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
}

/// Acknowledges an endpoint's trouble. Both members are read for older clients and count for nothing: the caller is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AcknowledgeHealthCheckRequest)]
pub struct AcknowledgeHealthCheck {
    /// Ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub acknowledged_by: Option<String>,
    /// Ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub actor: Option<String>,
}

/// What one probe of an endpoint saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HealthHistoryEntry {
    /// Its id.
    pub id: String,
    /// Of which check.
    #[schema(value_type = String)]
    pub health_check_id: HealthCheckId,
    /// How the endpoint did afterwards.
    #[schema(value_type = names::HealthStatus)]
    pub status: HealthStatus,
    /// How long the handshake took, in milliseconds; 0 without one.
    pub response_time_ms: i64,
    /// SHA-256 of what was served; empty without a handshake.
    pub fingerprint: String,
    /// Why it did not do well; empty when it did.
    pub failure_reason: String,
    /// When it was probed.
    #[schema(value_type = String, format = DateTime)]
    pub checked_at: Timestamp,
}

/// How many endpoints do how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthCheckSummary {
    /// What should be served is served.
    pub healthy: u64,
    /// Several probes in a row failed.
    pub degraded: u64,
    /// Many did.
    pub down: u64,
    /// Something else is served.
    pub cert_mismatch: u64,
    /// Never probed.
    pub unknown: u64,
    /// All of them.
    pub total: u64,
}

fn print(fingerprint: Option<Fingerprint>) -> String {
    fingerprint.map(|fingerprint| fingerprint.to_string()).unwrap_or_default()
}

impl From<HealthCheck> for EndpointHealthCheck {
    fn from(check: HealthCheck) -> Self {
        Self {
            id: check.id,
            endpoint: check.endpoint,
            certificate_id: check.certificate_id,
            target_id: check.target_id.map(|id| id.to_string()),
            network_scan_target_id: check.network_scan_target_id,
            expected_fingerprint: print(check.expected_fingerprint),
            observed_fingerprint: print(check.observed_fingerprint),
            status: check.status,
            consecutive_failures: check.consecutive_failures,
            response_time_ms: check.response_time_ms,
            tls_version: check.tls_version,
            cipher_suite: check.cipher_suite,
            cert_subject: check.cert_subject,
            cert_issuer: check.cert_issuer,
            cert_expiry: check.cert_expiry,
            last_checked_at: check.last_checked_at,
            last_success_at: check.last_success_at,
            last_failure_at: check.last_failure_at,
            last_transition_at: check.last_transition_at,
            failure_reason: check.failure_reason,
            degraded_threshold: check.degraded_threshold,
            down_threshold: check.down_threshold,
            check_interval_seconds: check.check_interval_seconds,
            timeout_ms: check.timeout_ms,
            enabled: check.enabled,
            acknowledged: check.acknowledged,
            acknowledged_by: check.acknowledged_by,
            acknowledged_at: check.acknowledged_at,
            created_at: check.created_at,
            updated_at: check.updated_at,
        }
    }
}

impl From<HealthEntry> for HealthHistoryEntry {
    fn from(entry: HealthEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            health_check_id: entry.health_check_id,
            status: entry.status,
            response_time_ms: entry.response_time_ms,
            fingerprint: print(entry.fingerprint),
            failure_reason: entry.failure_reason,
            checked_at: entry.checked_at,
        }
    }
}

impl From<HealthSummary> for HealthCheckSummary {
    fn from(summary: HealthSummary) -> Self {
        let HealthSummary { healthy, degraded, down, cert_mismatch, unknown } = summary;
        Self { healthy, degraded, down, cert_mismatch, unknown, total: summary.total() }
    }
}
