//! Which vault, as whom.

use certctl_core::connector::ConfigError;
use certctl_core::ports::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::discovery::calls::{https, secret, word};

/// Configuration of an Azure Key Vault, as written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AzureKeyVaultConfig {
    /// The vault, such as `https://example.vault.azure.net`.
    pub vault_url: String,
    /// The directory (tenant) of the application.
    pub tenant_id: String,
    /// The application (client) id. It needs the role Key Vault Reader or the permission to list and get certificates.
    pub client_id: String,
    /// A secret of the application.
    pub client_secret: Secret,
    /// Where tokens are given; `https://login.microsoftonline.com` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority_url: Option<String>,
}

/// Checked access to one vault.
#[derive(Clone)]
pub struct Vault {
    pub(super) url: Url,
    pub(super) host: String,
    pub(super) token_url: Url,
    /// What the token is for: the cloud's vaults, by the domain of this one.
    pub(super) scope: String,
    pub(super) client_id: String,
    pub(super) client_secret: Secret,
}

const AUTHORITY: &str = "https://login.microsoftonline.com";

impl AzureKeyVaultConfig {
    pub(super) fn validate(self) -> Result<Vault, ConfigError> {
        let url = https("/vault_url", &self.vault_url)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        if url.path() != "/" || url.query().is_some() {
            return Err(ConfigError::at("/vault_url", "write it without a path, as https://NAME.vault.azure.net"));
        }
        let Some((_, domain)) = host.split_once('.') else {
            return Err(ConfigError::at("/vault_url", "write it as https://NAME.vault.azure.net"));
        };
        let scope = format!("https://{domain}/.default");
        let tenant = word("/tenant_id", &self.tenant_id, 128)?;
        if tenant.contains(['/', ':', '@']) {
            return Err(ConfigError::at("/tenant_id", "it is an id or a domain, without a path"));
        }
        let mut token_url = https("/authority_url", self.authority_url.as_deref().unwrap_or(AUTHORITY))?;
        token_url.set_path(&format!("{tenant}/oauth2/v2.0/token"));
        Ok(Vault {
            host,
            token_url,
            scope,
            client_id: word("/client_id", &self.client_id, 128)?,
            client_secret: secret("/client_secret", self.client_secret)?,
            url,
        })
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("host", &self.host).finish_non_exhaustive()
    }
}
