//! Creating a health check.

use async_trait::async_trait;
use serde_json::json;

use super::endpoint::{bounds, endpoint};
use crate::domain::{
    AuditAction, Certificate, CertificateId, Fingerprint, HealthCheck, HealthCheckId, HealthStatus, Timestamp,
};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Creates a check of an endpoint, which is probed from now on.
#[derive(Clone, Debug, Default)]
pub struct Create {
    /// Kept when given.
    pub id: Option<HealthCheckId>,
    /// `host:port`.
    pub endpoint: String,
    /// The certificate that should be served there, for whom its alerts are.
    pub certificate_id: Option<CertificateId>,
    /// The network scan target that it belongs to.
    pub network_scan_target_id: Option<String>,
    /// What should be served; anything when absent or empty.
    pub expected_fingerprint: Option<String>,
    /// Between two probes, in seconds; 300 when absent.
    pub check_interval_seconds: Option<i64>,
    /// For one handshake, in milliseconds; 5,000 when absent.
    pub timeout_ms: Option<i64>,
    /// Failures in a row until it is degraded; 2 when absent.
    pub degraded_threshold: Option<i64>,
    /// Failures in a row until it is down; 5 when absent.
    pub down_threshold: Option<i64>,
    /// Whether it is probed; yes when absent.
    pub enabled: Option<bool>,
}

#[async_trait]
impl Operation for Create {
    type Output = HealthCheck;
    const NAME: &'static str = "health_check.create";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<HealthCheck, Error> {
        let probed = endpoint(&self.endpoint)?;
        let expected = print(self.expected_fingerprint.as_deref())?;
        if let Some(certificate) = &self.certificate_id {
            known(cx, certificate).await?;
        }
        let id = self.id.clone().unwrap_or_else(|| HealthCheckId::generate(&*cx.ports().clock, &*cx.ports().rng));
        if id.as_str() == "summary" {
            let detail = "`summary` is where checks are counted; choose another id";
            return Err(Error::invalid_field("/id", "reserved", detail));
        }
        let enabled = self.enabled.unwrap_or(true);
        let health = HealthCheck {
            certificate_id: self.certificate_id.clone(),
            network_scan_target_id: self.network_scan_target_id.clone(),
            expected_fingerprint: expected,
            degraded_threshold: self.degraded_threshold.unwrap_or(HealthCheck::DEGRADED),
            down_threshold: self.down_threshold.unwrap_or(HealthCheck::DOWN),
            check_interval_seconds: self.check_interval_seconds.unwrap_or(HealthCheck::INTERVAL),
            timeout_ms: self.timeout_ms.unwrap_or(HealthCheck::TIMEOUT),
            enabled,
            due_at: if enabled { cx.now() } else { Timestamp::NEVER },
            ..fresh(id, probed.to_string(), cx.now())
        };
        bounds(&health)?;
        cx.unit.insert(health.clone());
        let details = json!({ "endpoint": health.endpoint, "certificate_id": health.certificate_id });
        cx.audit(AuditAction::HealthCheckCreated, ("health_check", health.id.as_str()), details);
        Ok(health)
    }
}

/// Refuses a certificate that there is not.
pub(super) async fn known(cx: &Context<'_>, id: &CertificateId) -> Result<(), Error> {
    if cx.unit.peek::<Certificate>(id.as_str()).await?.is_some() {
        return Ok(());
    }
    let detail = format!("there is no certificate `{id}`");
    Err(Error::invalid_field("/certificate_id", "unknown_reference", detail))
}

/// An empty fingerprint is none.
pub(super) fn print(text: Option<&str>) -> Result<Option<Fingerprint>, Error> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    text.map(Fingerprint::parse)
        .transpose()
        .map_err(|error| Error::invalid_field("/expected_fingerprint", "bad_fingerprint", error.to_string()))
}

/// A check of which nothing is known yet.
pub(super) fn fresh(id: HealthCheckId, endpoint: String, now: Timestamp) -> HealthCheck {
    HealthCheck {
        id,
        endpoint,
        certificate_id: None,
        target_id: None,
        network_scan_target_id: None,
        automatic: None,
        server_name: None,
        expected_fingerprint: None,
        observed_fingerprint: None,
        status: HealthStatus::Unknown,
        consecutive_failures: 0,
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
        degraded_threshold: HealthCheck::DEGRADED,
        down_threshold: HealthCheck::DOWN,
        check_interval_seconds: HealthCheck::INTERVAL,
        timeout_ms: HealthCheck::TIMEOUT,
        enabled: true,
        acknowledged: false,
        acknowledged_by: None,
        acknowledged_at: None,
        due_at: now,
        created_at: now,
        updated_at: now,
    }
}
