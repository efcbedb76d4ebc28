//! Any CA that speaks ACME (RFC 8555): a step at a time, each of which may be repeated.

mod account;
mod authorization;
mod challenge;
mod client;
mod config;
mod dns_update;
mod issuer;
mod jws;
mod order;
mod problem;
mod revoke;
#[cfg(test)]
mod tests;
mod wire;

pub use config::{AcmeChallenge, AcmeConfig, AcmeTerms, DnsUpdateConfig, TsigAlgorithm};

use std::sync::Arc;

use certctl_core::connector::{ConfigError, ConnectorContext, ConnectorError, Issuer, IssuerPlugin};

/// The `ACME` issuer.
#[derive(Debug)]
pub struct Acme;

impl IssuerPlugin for Acme {
    const KIND: &'static str = "ACME";
    const ALIASES: &'static [&'static str] = &["acme"];
    const DOCS: &'static str = include_str!("docs.md");
    type Config = AcmeConfig;
    type Valid = AcmeTerms;

    fn validate(config: AcmeConfig) -> Result<AcmeTerms, ConfigError> {
        config.validate()
    }

    fn build(valid: AcmeTerms, cx: &ConnectorContext) -> Result<Arc<dyn Issuer>, ConnectorError> {
        Ok(Arc::new(issuer::AcmeIssuer::new(valid, cx)))
    }
}
