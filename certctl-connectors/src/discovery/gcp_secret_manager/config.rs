//! Which project, as which service account.

use std::sync::Arc;

use certctl_core::connector::ConfigError;
use certctl_core::pki::private_key;
use certctl_core::ports::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::discovery::calls::{https, secret, word};

/// Configuration of Google Secret Manager, as written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GcpSecretManagerConfig {
    /// The id of the project.
    pub project: String,
    /// The key of a service account with the role Secret Manager Secret Accessor and Viewer: the JSON file as the console
    /// gives it.
    pub credentials: Secret,
}

/// Checked access to one project.
#[derive(Clone)]
pub struct Project {
    pub(super) id: String,
    pub(super) email: String,
    pub(super) token_url: Url,
    /// DER PKCS#8.
    pub(super) key: Arc<Zeroizing<Vec<u8>>>,
}

#[derive(Deserialize)]
struct ServiceAccount {
    client_email: String,
    private_key: Secret,
    #[serde(default)]
    token_uri: String,
}

const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
const CREDENTIALS: &str = "/credentials";

impl GcpSecretManagerConfig {
    pub(super) fn validate(self) -> Result<Project, ConfigError> {
        let id = self.project.trim().to_owned();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | ':' | '.');
        if !(1..=64).contains(&id.len()) || !id.chars().all(allowed) {
            return Err(ConfigError::at("/project", "it is no project id; write it as my-project-123"));
        }
        let credentials = secret(CREDENTIALS, self.credentials)?;
        // What is wrong with it must not be repeated: the error of the parser may hold a piece of the key.
        let account: ServiceAccount = serde_json::from_str(credentials.expose())
            .map_err(|_| ConfigError::at(CREDENTIALS, "it is no key file (JSON) of a service account"))?;
        let key = private_key::from_pem(account.private_key.expose())
            .map_err(|_| ConfigError::at(CREDENTIALS, "its private_key is no PKCS #8 key in PEM"))?;
        let token_url = if account.token_uri.is_empty() { TOKEN_URL } else { account.token_uri.as_str() };
        Ok(Project {
            id,
            email: word(CREDENTIALS, &account.client_email, 320)?,
            token_url: https(CREDENTIALS, token_url)?,
            key: Arc::new(key),
        })
    }
}

impl std::fmt::Debug for Project {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Project").field("id", &self.id).finish_non_exhaustive()
    }
}
