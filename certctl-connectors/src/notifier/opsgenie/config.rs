//! Which integration, and what its alerts carry.

use certctl_core::connector::ConfigError;
use certctl_core::ports::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::notifier::call;

/// Configuration of an OpsGenie integration, as written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpsGenieConfig {
    /// The key of an API integration.
    pub api_key: Secret,
    /// The priority of every alert.
    #[serde(default)]
    pub priority: OpsGeniePriority,
    /// Tags of every alert.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Where alerts are posted; accounts in the EU have `https://api.eu.opsgenie.com/v2/alerts`.
    #[serde(default = "api_url")]
    pub api_url: String,
}

/// The priorities that OpsGenie knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "variants with texts of their own would be no plain values in the schema")]
pub enum OpsGeniePriority {
    P1,
    P2,
    #[default]
    P3,
    P4,
    P5,
}

/// A checked integration.
#[derive(Clone)]
pub struct OpsGenieIntegration {
    pub(super) url: Url,
    /// `GenieKey` and the key.
    pub(super) authorization: Secret,
    pub(super) priority: OpsGeniePriority,
    pub(super) tags: Vec<String>,
}

fn api_url() -> String {
    "https://api.opsgenie.com/v2/alerts".to_owned()
}

impl OpsGenieConfig {
    pub(super) fn validate(self) -> Result<OpsGenieIntegration, ConfigError> {
        // What OpsGenie takes: 20 tags of 50 characters.
        if self.tags.len() > 20 || self.tags.iter().any(|tag| tag.is_empty() || tag.chars().count() > 50) {
            return Err(ConfigError::at("/tags", "at most 20 tags of 1 to 50 characters"));
        }
        let key = call::key("/api_key", self.api_key)?;
        Ok(OpsGenieIntegration {
            url: call::url("/api_url", &self.api_url)?,
            authorization: Secret::new(format!("GenieKey {}", key.expose())),
            priority: self.priority,
            tags: self.tags,
        })
    }
}

impl std::fmt::Debug for OpsGenieIntegration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpsGenieIntegration").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}
