//! Changing a health check.

use async_trait::async_trait;

use super::create::{known, print};
use super::endpoint::{bounds, endpoint};
use crate::domain::{AuditAction, CertificateId, HealthCheck, HealthCheckId, Timestamp};
use crate::error::Error;
use crate::ops::merge::Merge;
use crate::ops::{Access, Context, Operation};

/// Changes what is given of a health check. It is probed soon after.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which.
    pub id: HealthCheckId,
    /// Another endpoint.
    pub endpoint: Option<String>,
    /// Another certificate.
    pub certificate_id: Option<CertificateId>,
    /// What should be served from now on; empty for anything.
    pub expected_fingerprint: Option<String>,
    /// Between two probes, in seconds.
    pub check_interval_seconds: Option<i64>,
    /// For one handshake, in milliseconds.
    pub timeout_ms: Option<i64>,
    /// Failures in a row until it is degraded.
    pub degraded_threshold: Option<i64>,
    /// Failures in a row until it is down.
    pub down_threshold: Option<i64>,
    /// Whether it is probed.
    pub enabled: Option<bool>,
}

#[async_trait]
impl Operation for Update {
    type Output = HealthCheck;
    const NAME: &'static str = "health_check.update";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<HealthCheck, Error> {
        let found = cx.unit.get::<HealthCheck>(self.id.as_str()).await?;
        let mut health = found.ok_or_else(|| Error::not_found("health check", &self.id))?;
        let probed = self.endpoint.as_deref().map(endpoint).transpose()?.map(|endpoint| endpoint.to_string());
        let expected = self.expected_fingerprint.as_deref().map(|text| print(Some(text))).transpose()?;
        if let Some(certificate) = &self.certificate_id {
            known(cx, certificate).await?;
        }
        let mut merge = Merge::default();
        merge.set("endpoint", &mut health.endpoint, probed.as_ref());
        let certificate = self.certificate_id.clone().map(Some);
        merge.set("certificate_id", &mut health.certificate_id, certificate.as_ref());
        merge.set("expected_fingerprint", &mut health.expected_fingerprint, expected.as_ref());
        let interval = self.check_interval_seconds.as_ref();
        merge.set("check_interval_seconds", &mut health.check_interval_seconds, interval);
        merge.set("timeout_ms", &mut health.timeout_ms, self.timeout_ms.as_ref());
        merge.set("degraded_threshold", &mut health.degraded_threshold, self.degraded_threshold.as_ref());
        merge.set("down_threshold", &mut health.down_threshold, self.down_threshold.as_ref());
        merge.set("enabled", &mut health.enabled, self.enabled.as_ref());
        bounds(&health)?;
        health.due_at = if health.enabled { cx.now() } else { Timestamp::NEVER };
        health.updated_at = cx.now();
        let answer = HealthCheck::clone(&health);
        cx.unit.update(health);
        cx.audit(AuditAction::HealthCheckUpdated, ("health_check", self.id.as_str()), merge.details());
        Ok(answer)
    }
}
