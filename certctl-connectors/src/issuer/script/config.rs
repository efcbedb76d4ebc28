//! Which programs sign and revoke.

use std::time::Duration;

use certctl_core::connector::ConfigError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deploy::CommandLine;

/// Configuration of a CA behind a program, as written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptConfig {
    /// The program that signs, and its arguments.
    pub sign_script: CommandLine,
    /// The program that revokes, and its arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoke_script: Option<CommandLine>,
    /// Understood only to be refused: see the documentation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub crl_script: Option<CommandLine>,
    /// Seconds after which a program is killed.
    #[schemars(range(min = 1, max = 110))]
    pub timeout_seconds: u32,
}

impl Default for ScriptConfig {
    fn default() -> Self {
        let sign_script = CommandLine::Text(String::new());
        Self { sign_script, revoke_script: None, crl_script: None, timeout_seconds: 30 }
    }
}

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct ScriptTerms {
    pub(super) sign: Vec<String>,
    pub(super) revoke: Option<Vec<String>>,
    pub(super) timeout: Duration,
}

/// A step of a job takes two minutes at most.
const LONGEST_SECONDS: u32 = 110;

impl ScriptConfig {
    pub(super) fn validate(self) -> Result<ScriptTerms, ConfigError> {
        let given = |line: &CommandLine| !matches!(line, CommandLine::Text(text) if text.trim().is_empty());
        if self.crl_script.as_ref().is_some_and(given) {
            let message = "revocation lists of a CA behind a program are its own to publish; leave it out";
            return Err(ConfigError::at("/crl_script", message));
        }
        if !(1..=LONGEST_SECONDS).contains(&self.timeout_seconds) {
            let message = format!("give 1 to {LONGEST_SECONDS} seconds; leave it out for 30");
            return Err(ConfigError::at("/timeout_seconds", message));
        }
        let sign = program("/sign_script", &self.sign_script)?;
        let revoke = self.revoke_script.as_ref().filter(|line| given(line));
        let revoke = revoke.map(|line| program("/revoke_script", line)).transpose()?;
        Ok(ScriptTerms { sign, revoke, timeout: Duration::from_secs(self.timeout_seconds.into()) })
    }
}

fn program(pointer: &str, line: &CommandLine) -> Result<Vec<String>, ConfigError> {
    let argv = line.parse().map_err(|error| ConfigError::at(pointer, error.to_string()))?;
    if argv.first().is_some_and(|program| program.starts_with('/')) {
        return Ok(argv);
    }
    Err(ConfigError::at(pointer, "name the program by its whole path, as the server's setting issuers.programs does"))
}
