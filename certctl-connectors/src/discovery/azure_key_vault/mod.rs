//! Certificates of an Azure Key Vault.

mod config;
mod source;
#[cfg(test)]
mod tests;

pub use config::{AzureKeyVaultConfig, Vault};

use std::sync::Arc;

use certctl_core::connector::{ConfigError, ConnectorContext, ConnectorError, DiscoveryPlugin, DiscoverySource};

/// The `AzureKeyVault` discovery source.
#[derive(Debug)]
pub struct AzureKeyVault;

impl DiscoveryPlugin for AzureKeyVault {
    const KIND: &'static str = "AzureKeyVault";
    const AGENT: &'static str = "cloud-azure-kv";
    const DOCS: &'static str = include_str!("docs.md");
    type Config = AzureKeyVaultConfig;
    type Valid = Vault;

    fn validate(config: AzureKeyVaultConfig) -> Result<Vault, ConfigError> {
        config.validate()
    }

    fn build(valid: Vault, cx: &ConnectorContext) -> Result<Arc<dyn DiscoverySource>, ConnectorError> {
        Ok(Arc::new(source::Source::new(valid, &cx.ports)))
    }
}
