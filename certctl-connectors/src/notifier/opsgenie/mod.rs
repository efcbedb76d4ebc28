//! Notices as OpsGenie alerts.

mod client;
mod config;
mod notifier;
#[cfg(test)]
mod tests;

pub use config::{OpsGenieConfig, OpsGenieIntegration, OpsGeniePriority};

use std::sync::Arc;

use certctl_core::connector::{ConfigError, ConnectorContext, ConnectorError, Notifier, NotifierPlugin};

/// The `OpsGenie` notifier.
#[derive(Debug)]
pub struct OpsGenie;

impl NotifierPlugin for OpsGenie {
    const KIND: &'static str = "OpsGenie";
    const DOCS: &'static str = include_str!("docs.md");
    type Config = OpsGenieConfig;
    type Valid = OpsGenieIntegration;

    fn validate(config: OpsGenieConfig) -> Result<OpsGenieIntegration, ConfigError> {
        config.validate()
    }

    fn build(valid: OpsGenieIntegration, cx: &ConnectorContext) -> Result<Arc<dyn Notifier>, ConnectorError> {
        Ok(Arc::new(notifier::OpsGenieNotifier::new(client::OpsGenieClient::new(valid, &cx.ports))))
    }
}
