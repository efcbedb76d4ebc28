//! Notices as PagerDuty alerts, by the Events API v2.

mod client;
mod config;
mod notifier;
#[cfg(test)]
mod tests;

pub use config::{PagerDutyConfig, PagerDutyIntegration, PagerDutySeverity};

use std::sync::Arc;

use certctl_core::connector::{ConfigError, ConnectorContext, ConnectorError, Notifier, NotifierPlugin};

/// The `PagerDuty` notifier.
#[derive(Debug)]
pub struct PagerDuty;

impl NotifierPlugin for PagerDuty {
    const KIND: &'static str = "PagerDuty";
    const DOCS: &'static str = include_str!("docs.md");
    type Config = PagerDutyConfig;
    type Valid = PagerDutyIntegration;

    fn validate(config: PagerDutyConfig) -> Result<PagerDutyIntegration, ConfigError> {
        config.validate()
    }

    fn build(valid: PagerDutyIntegration, cx: &ConnectorContext) -> Result<Arc<dyn Notifier>, ConnectorError> {
        Ok(Arc::new(notifier::PagerDutyNotifier::new(client::PagerDutyClient::new(valid, &cx.ports))))
    }
}
