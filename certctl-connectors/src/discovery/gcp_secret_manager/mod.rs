//! Certificates among the secrets of Google Secret Manager.

mod config;
mod source;
#[cfg(test)]
mod tests;

pub use config::{GcpSecretManagerConfig, Project};

use std::sync::Arc;

use certctl_core::connector::{ConfigError, ConnectorContext, ConnectorError, DiscoveryPlugin, DiscoverySource};

/// The `GCPSecretManager` discovery source.
#[derive(Debug)]
pub struct GcpSecretManager;

impl DiscoveryPlugin for GcpSecretManager {
    const KIND: &'static str = "GCPSecretManager";
    const AGENT: &'static str = "cloud-gcp-sm";
    const DOCS: &'static str = include_str!("docs.md");
    type Config = GcpSecretManagerConfig;
    type Valid = Project;

    fn validate(config: GcpSecretManagerConfig) -> Result<Project, ConfigError> {
        config.validate()
    }

    fn build(valid: Project, cx: &ConnectorContext) -> Result<Arc<dyn DiscoverySource>, ConnectorError> {
        Ok(Arc::new(source::Source::new(valid, &cx.ports)))
    }
}
