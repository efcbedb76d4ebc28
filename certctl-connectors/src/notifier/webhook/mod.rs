//! Notices by HTTP POST, signed with HMAC-SHA256.

mod client;
mod config;
mod notifier;
#[cfg(test)]
mod tests;

pub use config::{WebhookConfig, WebhookEndpoint};

use std::sync::Arc;

use certctl_core::connector::{ConfigError, ConnectorContext, ConnectorError, Notifier, NotifierPlugin};

/// The `Webhook` notifier.
#[derive(Debug)]
pub struct Webhook;

impl NotifierPlugin for Webhook {
    const KIND: &'static str = "Webhook";
    const DOCS: &'static str = include_str!("docs.md");
    type Config = WebhookConfig;
    type Valid = WebhookEndpoint;

    fn validate(config: WebhookConfig) -> Result<WebhookEndpoint, ConfigError> {
        config.validate()
    }

    fn build(valid: WebhookEndpoint, cx: &ConnectorContext) -> Result<Arc<dyn Notifier>, ConnectorError> {
        Ok(Arc::new(notifier::WebhookNotifier::new(client::WebhookClient::new(valid, &cx.ports))))
    }
}
