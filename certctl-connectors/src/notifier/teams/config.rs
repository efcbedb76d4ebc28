//! Which webhook, and which form of card it takes.

use certctl_core::connector::ConfigError;
use certctl_core::ports::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::notifier::call;

/// Configuration of a channel of Microsoft Teams, as written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamsConfig {
    /// The URL of the webhook: whoever knows it can post.
    pub webhook_url: Secret,
    /// The form of the card.
    #[serde(default)]
    pub format: CardFormat,
}

/// The forms of cards that Teams takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CardFormat {
    #[default]
    #[expect(missing_docs, reason = "a variant with a text of its own would be no plain value in the schema")]
    AdaptiveCard,
    #[expect(missing_docs, reason = "as above")]
    MessageCard,
}

/// A checked channel.
#[derive(Clone)]
pub struct TeamsWebhook {
    pub(super) url: Url,
    pub(super) format: CardFormat,
}

impl TeamsConfig {
    pub(super) fn validate(self) -> Result<TeamsWebhook, ConfigError> {
        Ok(TeamsWebhook { url: call::url("/webhook_url", self.webhook_url.expose())?, format: self.format })
    }
}

impl std::fmt::Debug for TeamsWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TeamsWebhook")
            .field("host", &self.url.host_str())
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}
