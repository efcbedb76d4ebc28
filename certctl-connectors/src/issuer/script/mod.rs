//! A CA behind a program: the request on its standard input, the chain on its standard output.

mod config;
mod issuer;
#[cfg(test)]
mod tests;

pub use config::{ScriptConfig, ScriptTerms};

use std::sync::Arc;

use certctl_core::connector::{ConfigError, ConnectorContext, ConnectorError, Issuer, IssuerPlugin};

/// The `OpenSSL` issuer.
#[derive(Debug)]
pub struct Script;

impl IssuerPlugin for Script {
    const KIND: &'static str = "OpenSSL";
    const ALIASES: &'static [&'static str] = &["openssl", "script", "custom"];
    const DOCS: &'static str = include_str!("docs.md");
    type Config = ScriptConfig;
    type Valid = ScriptTerms;

    fn validate(config: ScriptConfig) -> Result<ScriptTerms, ConfigError> {
        config.validate()
    }

    fn build(valid: ScriptTerms, cx: &ConnectorContext) -> Result<Arc<dyn Issuer>, ConnectorError> {
        Ok(Arc::new(issuer::ScriptIssuer::new(valid, cx)))
    }
}
