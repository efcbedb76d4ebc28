//! The server's configuration: defaults, a TOML file, `CERTCTL_*` variables and flags, in this order.
//!
//! [`Config`] is what was written, [`ValidConfig`] what it means. Reading is strict: an unknown key, an unknown variable or
//! a bad value is an error that names what was probably meant.

mod acme_server;
mod channels;
mod client_variables;
mod environment;
mod est;
mod issuers;
mod keys;
mod obsolete;
mod ocsp;
mod pki;
mod scep;
mod settings;
mod sources;
mod valid;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use certctl_core::ports::Secret;
use serde::Deserialize;
use serde_json::{Map, Value};

pub(crate) use channels::Channels;
use sources::Sources;

pub(crate) use scep::ScepSettings;

pub(crate) use environment::{Environment, check_names};
pub(crate) use est::EstServer;
pub(crate) use valid::{Authentication, Listen, LogFormat, ValidConfig};

/// Longest configuration file that is read, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// The configuration as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) listen: Option<String>,
    pub(crate) insecure_http: Option<bool>,
    pub(crate) server_names: Option<Vec<String>>,
    pub(crate) auth_type: Option<String>,
    pub(crate) auth_secret: Option<Secret>,
    pub(crate) api_keys_named: Option<Secret>,
    pub(crate) agent_auth: Option<String>,
    pub(crate) encryption_key: Option<Secret>,
    pub(crate) log_level: Option<String>,
    pub(crate) log_format: Option<String>,
    pub(crate) database: Database,
    pub(crate) egress: Egress,
    pub(crate) cors_origins: Option<Vec<String>>,
    pub(crate) rate_limit: RateLimit,
    pub(crate) loops: Loops,
    pub(crate) network_scan: NetworkScan,
    pub(crate) cloud_discovery: CloudDiscovery,
    pub(crate) discovery: Vec<Discovery>,
    /// Discovery sources that variables make.
    #[serde(skip)]
    pub(crate) sources: Sources,
    pub(crate) health_check: HealthCheck,
    pub(crate) pki: pki::Pki,
    pub(crate) est: Vec<est::Table>,
    /// EST servers that variables make.
    #[serde(skip)]
    pub(crate) est_variables: est::Variables,
    pub(crate) scep: scep::Scep,
    pub(crate) ocsp: ocsp::Ocsp,
    pub(crate) acme_server: acme_server::AcmeServer,
    pub(crate) issuers: issuers::Issuers,
    pub(crate) notifier: Vec<Notifier>,
    pub(crate) route: Vec<Route>,
    pub(crate) digest: Digest,
    /// Notifiers that variables make.
    #[serde(skip)]
    pub(crate) channels: Channels,
}

/// `[database]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Database {
    pub(crate) url: Option<Secret>,
    pub(crate) max_connections: Option<u32>,
}

/// `[egress]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Egress {
    pub(crate) allow: Option<Vec<String>>,
    pub(crate) resolver: Option<Vec<String>>,
}

/// `[rate_limit]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RateLimit {
    pub(crate) enabled: Option<bool>,
    pub(crate) rps: Option<u32>,
    pub(crate) burst: Option<u32>,
}

/// `[health_check]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HealthCheck {
    pub(crate) enabled: Option<bool>,
    pub(crate) interval: Option<String>,
    pub(crate) default_interval: Option<u32>,
    pub(crate) default_timeout: Option<u32>,
    pub(crate) max_concurrent: Option<u32>,
    pub(crate) history_retention: Option<String>,
    pub(crate) auto_create: Option<bool>,
}

/// `[loops]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Loops {
    pub(crate) renewal_check: Option<String>,
    pub(crate) job_processor: Option<String>,
    pub(crate) job_timeout: Option<String>,
    pub(crate) awaiting_csr: Option<String>,
    pub(crate) awaiting_approval: Option<String>,
    pub(crate) agent_health: Option<String>,
    pub(crate) short_lived_expiry: Option<String>,
    pub(crate) notification_process: Option<String>,
    pub(crate) notification_retry: Option<String>,
    pub(crate) crl_generation: Option<String>,
}

/// `[network_scan]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NetworkScan {
    pub(crate) enabled: Option<bool>,
}

/// `[cloud_discovery]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CloudDiscovery {
    pub(crate) enabled: Option<bool>,
    pub(crate) interval: Option<String>,
}

/// `[[discovery]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Discovery {
    pub(crate) name: String,
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) config: Map<String, Value>,
}

/// `[[notifier]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notifier {
    pub(crate) name: String,
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) config: Map<String, Value>,
}

/// `[digest]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Digest {
    pub(crate) enabled: Option<bool>,
    pub(crate) interval: Option<String>,
    pub(crate) recipients: Option<Vec<String>>,
    pub(crate) notifier: Option<String>,
}

/// `[[route]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Route {
    pub(crate) events: Vec<String>,
    pub(crate) severities: Vec<String>,
    pub(crate) notifiers: Vec<String>,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read the configuration file {}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error("the configuration file {} is wrong: {reason}", path.display())]
    Syntax { path: PathBuf, reason: String },
    #[error("the variable {name} means nothing to certctl; {}correct or unset it", hint(.nearest.as_deref()))]
    UnknownVariable { name: String, nearest: Option<String> },
    #[error("the variable {0} is no UTF-8 text")]
    NotText(String),
    #[error("{at}: {reason}")]
    Value { at: String, reason: String },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("did you mean {name}? Else ")).unwrap_or_default()
}

impl ConfigError {
    pub(crate) fn value(at: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Value { at: at.into(), reason: reason.into() }
    }
}

impl Config {
    /// Reads a file, or nothing.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let failed = |reason: String| ConfigError::File { path: path.to_path_buf(), reason };
        let length = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if length > LARGEST_FILE {
            return Err(failed(format!("it has {length} bytes, more than {LARGEST_FILE}")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Self::parse(&text).map_err(|reason| ConfigError::Syntax { path: path.to_path_buf(), reason })
    }

    /// Reads TOML text. The line of a mistake is told, not shown: it may hold a secret.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map(|before| format!("line {}: ", before.matches('\n').count() + 1));
            format!("{}{}", line.unwrap_or_default(), error.message().trim_end())
        })
    }

    /// Lays the environment over it. What it returns should be said to whoever started the process.
    pub(crate) fn overlay(&mut self, environment: &Environment) -> Result<(), ConfigError> {
        for setting in settings::all() {
            if let Some(value) = environment.get(setting.variable) {
                (setting.set)(self, value)
                    .map_err(|reason| ConfigError::value(format!("CERTCTL_{}", setting.variable), reason))?;
            }
        }
        self.est_variables.read_named(environment)?;
        self.scep.overlay(environment)
    }
}
