//! The `CERTCTL_*` variables of this process.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::ConfigError;
use super::client_variables::CLIENT_VARIABLES;
use super::est;
use super::obsolete;
use super::{scep, settings};
use certctl_core::domain::nearest;

const PREFIX: &str = "CERTCTL_";

/// The variables that begin with `CERTCTL_`, by the rest of their name.
#[derive(Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Takes those of interest. An empty value counts as unset, as in most service managers.
    pub(crate) fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, ConfigError> {
        let mut ours = BTreeMap::new();
        for (name, value) in variables {
            let Some(name) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
            let value = value.into_string().map_err(|_| ConfigError::NotText(format!("{PREFIX}{name}")))?;
            if !value.is_empty() {
                ours.insert(name.to_owned(), value);
            }
        }
        Ok(Self(ours))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The parts of a variable that is separated by commas.
    pub(crate) fn list(&self, name: &str) -> impl Iterator<Item = String> {
        let parts = self.get(name).unwrap_or_default().split(',');
        parts.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned)
    }

    /// Every name with its value.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Refuses variables that mean nothing; gives a warning for each that a predecessor knew.
///
/// # Errors
/// [`ConfigError::UnknownVariable`] with the nearest name.
pub(crate) fn check_names(environment: &Environment) -> Result<Vec<String>, ConfigError> {
    let mut warnings = Vec::new();
    for name in environment.names() {
        if known().any(|known| known == name) || est::knows(environment, name) || scep::knows(name) {
            continue;
        }
        let Some(advice) = obsolete::advice(name) else {
            let nearest = nearest(name, known()).map(|name| format!("{PREFIX}{name}"));
            return Err(ConfigError::UnknownVariable { name: format!("{PREFIX}{name}"), nearest });
        };
        warnings.push(format!("{PREFIX}{name} has no effect: {advice}"));
    }
    Ok(warnings)
}

fn known() -> impl Iterator<Item = &'static str> {
    settings::all().map(|setting| setting.variable).chain(CLIENT_VARIABLES.iter().map(|variable| variable.name))
}
