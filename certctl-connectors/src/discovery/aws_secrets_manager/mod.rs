//! Certificates among the secrets of AWS Secrets Manager.

mod config;
mod signing;
mod source;
#[cfg(test)]
mod tests;

pub use config::{AwsSecretsManagerConfig, Region};

use std::sync::Arc;

use certctl_core::connector::{ConfigError, ConnectorContext, ConnectorError, DiscoveryPlugin, DiscoverySource};

/// The `AWSSecretsManager` discovery source.
#[derive(Debug)]
pub struct AwsSecretsManager;

impl DiscoveryPlugin for AwsSecretsManager {
    const KIND: &'static str = "AWSSecretsManager";
    const AGENT: &'static str = "cloud-aws-sm";
    const DOCS: &'static str = include_str!("docs.md");
    type Config = AwsSecretsManagerConfig;
    type Valid = Region;

    fn validate(config: AwsSecretsManagerConfig) -> Result<Region, ConfigError> {
        config.validate()
    }

    fn build(valid: Region, cx: &ConnectorContext) -> Result<Arc<dyn DiscoverySource>, ConnectorError> {
        Ok(Arc::new(source::Source::new(valid, &cx.ports)))
    }
}
