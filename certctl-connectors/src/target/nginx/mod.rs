//! NGINX: certificate files, `nginx -t`, reload.

mod config;
#[cfg(feature = "target-nginx")]
mod target;

pub use config::{NginxConfig, NginxValid};

use certctl_core::connector::{ConfigError, TargetSpec};

/// The connector of kind `NGINX`.
#[derive(Clone, Copy, Debug)]
pub struct Nginx;

impl TargetSpec for Nginx {
    const KIND: &'static str = "NGINX";
    const DOCS: &'static str = include_str!("docs.md");
    type Config = NginxConfig;
    type Valid = NginxValid;

    fn validate(config: NginxConfig) -> Result<NginxValid, ConfigError> {
        config.check()
    }
}

#[cfg(test)]
mod tests;
