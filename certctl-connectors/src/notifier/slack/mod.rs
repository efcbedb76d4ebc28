//! Notices in a Slack channel, by an incoming webhook.

mod client;
mod config;
mod notifier;
#[cfg(test)]
mod tests;

pub use config::{SlackConfig, SlackWebhook};

use std::sync::Arc;

use certctl_core::connector::{ConfigError, ConnectorContext, ConnectorError, Notifier, NotifierPlugin};

/// The `Slack` notifier.
#[derive(Debug)]
pub struct Slack;

impl NotifierPlugin for Slack {
    const KIND: &'static str = "Slack";
    const DOCS: &'static str = include_str!("docs.md");
    type Config = SlackConfig;
    type Valid = SlackWebhook;

    fn validate(config: SlackConfig) -> Result<SlackWebhook, ConfigError> {
        config.validate()
    }

    fn build(valid: SlackWebhook, cx: &ConnectorContext) -> Result<Arc<dyn Notifier>, ConnectorError> {
        Ok(Arc::new(notifier::SlackNotifier::new(client::SlackClient::new(valid, &cx.ports))))
    }
}
