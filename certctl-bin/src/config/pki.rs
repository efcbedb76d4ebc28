//! `[pki]`: what the world is told of the CAs.

use certctl_core::engine::PublicUrl;
use serde::Deserialize;

use super::ConfigError;
use super::settings::Setting;

/// `[pki]`, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Pki {
    pub(crate) public_url: Option<String>,
}

pub(super) const SETTINGS: &[Setting] = &[Setting {
    key: "pki.public_url",
    variable: "PKI_PUBLIC_URL",
    flag: "",
    default: "none",
    meaning: "Where the world reaches `/.well-known/pki`, such as `http://pki.example.com`: certificates of CAs of kind `GenericCA` \
              then name their CRL, OCSP responder and CA certificate there. It stands in them for as long as they live. Plain HTTP \
              is usual, because all of it is signed.",
    set: |config, value| {
        config.pki.public_url = Some(value.into());
        Ok(())
    },
}];

impl Pki {
    /// Checks it.
    pub(super) fn public_url(&self) -> Result<Option<PublicUrl>, ConfigError> {
        let parsed = self.public_url.as_deref().map(PublicUrl::parse).transpose();
        parsed.map_err(|error| ConfigError::value("pki.public_url", error.to_string()))
    }
}
