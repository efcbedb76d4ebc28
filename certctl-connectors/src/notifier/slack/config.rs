//! Which incoming webhook, and what the message looks like.

use certctl_core::connector::ConfigError;
use certctl_core::ports::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::notifier::call;

/// Configuration of a Slack channel, as written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// The URL of the incoming webhook: whoever knows it can post.
    pub webhook_url: Secret,
    /// Another channel than the webhook's own, such as `#certificates`; only webhooks of the older kind allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The name that messages stand under; only webhooks of the older kind show it.
    #[serde(default = "username")]
    pub username: String,
    /// The picture of that name, such as `:lock:`; only webhooks of the older kind show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon_emoji: Option<String>,
}

/// A checked Slack channel.
#[derive(Clone)]
pub struct SlackWebhook {
    pub(super) url: Url,
    pub(super) channel: Option<String>,
    pub(super) username: String,
    pub(super) icon_emoji: Option<String>,
}

fn username() -> String {
    "certctl".to_owned()
}

impl SlackConfig {
    pub(super) fn validate(self) -> Result<SlackWebhook, ConfigError> {
        Ok(SlackWebhook {
            url: call::url("/webhook_url", self.webhook_url.expose())?,
            channel: self.channel.map(|text| short("/channel", text)).transpose()?,
            username: short("/username", self.username)?,
            icon_emoji: self.icon_emoji.map(emoji).transpose()?,
        })
    }
}

impl std::fmt::Debug for SlackWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlackWebhook").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

fn short(pointer: &str, text: String) -> Result<String, ConfigError> {
    if text.trim().is_empty() || text.chars().count() > 80 || text.chars().any(char::is_control) {
        return Err(ConfigError::at(pointer, "it must be one line of 1 to 80 characters; leave it out for the usual"));
    }
    Ok(text)
}

fn emoji(text: String) -> Result<String, ConfigError> {
    let name = text.strip_prefix(':').and_then(|rest| rest.strip_suffix(':'));
    if name.is_none_or(|name| name.is_empty() || name.len() > 100 || !name.chars().all(|c| c.is_ascii_graphic())) {
        return Err(ConfigError::at("/icon_emoji", "write the name of an emoji between colons, such as :lock:"));
    }
    Ok(text)
}
