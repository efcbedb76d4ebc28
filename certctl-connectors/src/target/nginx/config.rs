//! The configuration of an NGINX target.

use std::time::Duration;

use certctl_core::connector::{ConfigError, ProbePoint};
use certctl_core::ports::Endpoint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deploy::{CommandLine, InvalidLayout, Layout, Observe, OnMismatch, Part, Service, Slot};

/// How a new certificate reaches an NGINX.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NginxConfig {
    /// The file of `ssl_certificate`: gets the certificate and its issuers.
    pub cert_path: String,
    /// The file of `ssl_certificate_key`. Without it the key goes into the file of the certificate, which both directives
    /// can name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_path: Option<String>,
    /// A file that gets the issuers alone, for `ssl_trusted_certificate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_path: Option<String>,
    /// Tests the configuration: a list of strings, or a string split on spaces.
    #[serde(default = "nginx_test")]
    pub validate_command: CommandLine,
    /// Makes NGINX load its files: a list of strings, or a string split on spaces.
    #[serde(default = "nginx_reload")]
    pub reload_command: CommandLine,
    /// Permission bits of the certificate files in octal, such as `0644`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_mode: Option<String>,
    /// Permission bits of the file with the key in octal, such as `0600`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_mode: Option<String>,
    /// Owner and group of the files as `user:group`; the agent's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Where a handshake shows what is served; nothing is verified without it.
    #[serde(default, alias = "hostname", alias = "target", alias = "address", skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The port of that handshake.
    #[serde(default = "https")]
    pub port: u16,
    /// The server name to ask for; the host when absent. The certificate must be for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Put the previous certificate back when another one than the deployed is served.
    #[serde(default)]
    pub rollback_on_mismatch: bool,
}

/// A checked configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxValid {
    pub(super) slots: Vec<Slot>,
    pub(super) service: Service,
}

/// One handshake, and how long a new certificate may take to show (requirements B7).
const WITHIN: Duration = Duration::from_secs(10);

fn nginx_test() -> CommandLine {
    CommandLine::Arguments(vec!["nginx".to_owned(), "-t".to_owned()])
}

fn nginx_reload() -> CommandLine {
    CommandLine::Arguments(vec!["nginx".to_owned(), "-s".to_owned(), "reload".to_owned()])
}

const fn https() -> u16 {
    443
}

impl NginxConfig {
    /// Checks everything that can be checked without the host.
    pub(super) fn check(self) -> Result<NginxValid, ConfigError> {
        let owner = given(self.owner.as_ref()).map(owner).transpose()?;
        let mode = |field: &str, text: Option<&String>, part: Part| {
            given(text).map_or(Ok(part.default_mode()), |text| mode(field, text))
        };
        let (cert_mode, key_mode) = (
            mode("/cert_mode", self.cert_mode.as_ref(), Part::FullChain)?,
            mode("/key_mode", self.key_mode.as_ref(), Part::Key)?,
        );
        if key_mode & 0o007 != 0 {
            return Err(ConfigError::at("/key_mode", "everybody on the host could use the key; use 0600 or 0640"));
        }
        let slot = |path: &str, part: Part| Slot {
            path: path.into(),
            part,
            mode: if part.is_secret() { key_mode } else { cert_mode },
            owner: owner.clone(),
        };
        let separate = given(self.key_path.as_ref()).filter(|path| *path != self.cert_path);
        let mut slots = match separate {
            Some(key_path) => vec![slot(&self.cert_path, Part::FullChain), slot(key_path, Part::Key)],
            None => vec![slot(&self.cert_path, Part::Combined)],
        };
        slots.extend(given(self.chain_path.as_ref()).map(|path| slot(path, Part::Issuers)));
        Layout::check(&slots).map_err(|error| ConfigError::at(self.pointer_of(&error), error.to_string()))?;

        let command = |field: &str, command: &CommandLine| {
            command.parse().map_err(|error| ConfigError::at(field, error.to_string()))
        };
        let service = Service {
            check: Some(command("/validate_command", &self.validate_command)?),
            reload: Some(command("/reload_command", &self.reload_command)?),
            observe: self.observe()?,
        };
        Ok(NginxValid { slots, service })
    }

    fn observe(&self) -> Result<Option<Observe>, ConfigError> {
        if self.port == 0 {
            return Err(ConfigError::at("/port", "0 is no port; use 1 to 65535"));
        }
        let Some(host) = given(self.host.as_ref()) else {
            if self.rollback_on_mismatch {
                return Err(ConfigError::at(
                    "/rollback_on_mismatch",
                    "needs `host`: without it nobody looks what is served",
                ));
            }
            return Ok(None);
        };
        if host.chars().any(|c| c.is_whitespace() || matches!(c, '/' | '@' | '[' | ']')) {
            return Err(ConfigError::at(
                "/host",
                "give a host name or an IP address alone, without brackets or scheme",
            ));
        }
        Ok(Some(Observe {
            point: ProbePoint {
                endpoint: Endpoint { host: host.to_owned(), port: self.port },
                server_name: given(self.server_name.as_ref()).map(ToOwned::to_owned),
            },
            timeout: WITHIN,
            within: WITHIN,
            on_mismatch: if self.rollback_on_mismatch { OnMismatch::RollBack } else { OnMismatch::Keep },
        }))
    }

    fn pointer_of(&self, error: &InvalidLayout) -> &'static str {
        let (InvalidLayout::Path(path) | InvalidLayout::Twice(path)) = error else { return "" };
        let is = |text: Option<&String>| given(text).is_some_and(|text| path.as_os_str() == text);
        match () {
            () if is(self.chain_path.as_ref()) => "/chain_path",
            () if is(self.key_path.as_ref()) => "/key_path",
            () => "/cert_path",
        }
    }
}

/// Forms send empty texts for what was left out.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn mode(field: &str, text: &str) -> Result<u32, ConfigError> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode & 0o400 != 0 && mode <= 0o777 => Ok(mode),
        _ => Err(ConfigError::at(
            field,
            format!("`{text}` are no permission bits; write octal such as 0644, readable by its owner"),
        )),
    }
}

fn owner(text: &str) -> Result<(String, String), ConfigError> {
    match text.split_once(':') {
        Some((user, group)) if !user.is_empty() && !group.is_empty() && !group.contains(':') => {
            Ok((user.to_owned(), group.to_owned()))
        }
        _ => Err(ConfigError::at("/owner", format!("`{text}` is not `user:group`"))),
    }
}
