//! A CA of one's own: a root that is made once, or a CA certificate and key that an operator has.

mod config;
mod issuer;
mod signing;
#[cfg(test)]
mod tests;

pub use config::{LocalCaConfig, LocalCaTerms};

use std::sync::Arc;

use certctl_core::connector::{ConfigError, ConnectorContext, ConnectorError, Issuer, IssuerPlugin};

/// The `GenericCA` issuer.
#[derive(Debug)]
pub struct LocalCa;

impl IssuerPlugin for LocalCa {
    const KIND: &'static str = "GenericCA";
    const ALIASES: &'static [&'static str] = &["local", "local_ca", "genericca"];
    const DOCS: &'static str = include_str!("docs.md");
    type Config = LocalCaConfig;
    type Valid = LocalCaTerms;

    fn validate(config: LocalCaConfig) -> Result<LocalCaTerms, ConfigError> {
        config.validate()
    }

    fn build(valid: LocalCaTerms, cx: &ConnectorContext) -> Result<Arc<dyn Issuer>, ConnectorError> {
        Ok(Arc::new(issuer::LocalIssuer::new(valid, cx)))
    }
}
