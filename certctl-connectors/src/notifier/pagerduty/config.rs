//! Which integration, and how severe its alerts are.

use certctl_core::connector::ConfigError;
use certctl_core::ports::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::notifier::call;

/// Configuration of a PagerDuty integration, as written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagerDutyConfig {
    /// The integration key of an Events API v2 integration.
    pub routing_key: Secret,
    /// The severity of every alert; each notice's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<PagerDutySeverity>,
    /// Where events are posted; accounts in the EU have `https://events.eu.pagerduty.com/v2/enqueue`.
    #[serde(default = "api_url")]
    pub api_url: String,
}

/// The severities that PagerDuty knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "variants with texts of their own would be no plain values in the schema")]
pub enum PagerDutySeverity {
    Critical,
    Error,
    Warning,
    Info,
}

/// A checked integration.
#[derive(Clone)]
pub struct PagerDutyIntegration {
    pub(super) url: Url,
    pub(super) routing_key: Secret,
    pub(super) severity: Option<PagerDutySeverity>,
}

fn api_url() -> String {
    "https://events.pagerduty.com/v2/enqueue".to_owned()
}

impl PagerDutyConfig {
    pub(super) fn validate(self) -> Result<PagerDutyIntegration, ConfigError> {
        Ok(PagerDutyIntegration {
            url: call::url("/api_url", &self.api_url)?,
            routing_key: call::key("/routing_key", self.routing_key)?,
            severity: self.severity,
        })
    }
}

impl std::fmt::Debug for PagerDutyIntegration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PagerDutyIntegration").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}
