//! Notices in a channel of Microsoft Teams, by a webhook of Workflows or an incoming webhook.

mod client;
mod config;
mod notifier;
#[cfg(test)]
mod tests;

pub use config::{CardFormat, TeamsConfig, TeamsWebhook};

use std::sync::Arc;

use certctl_core::connector::{ConfigError, ConnectorContext, ConnectorError, Notifier, NotifierPlugin};

/// The `Teams` notifier.
#[derive(Debug)]
pub struct Teams;

impl NotifierPlugin for Teams {
    const KIND: &'static str = "Teams";
    const DOCS: &'static str = include_str!("docs.md");
    type Config = TeamsConfig;
    type Valid = TeamsWebhook;

    fn validate(config: TeamsConfig) -> Result<TeamsWebhook, ConfigError> {
        config.validate()
    }

    fn build(valid: TeamsWebhook, cx: &ConnectorContext) -> Result<Arc<dyn Notifier>, ConnectorError> {
        let format = valid.format;
        Ok(Arc::new(notifier::TeamsNotifier::new(client::TeamsClient::new(valid, &cx.ports), format)))
    }
}
