//! Which secrets of which account and region.

use certctl_core::connector::ConfigError;
use certctl_core::ports::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::discovery::calls::{secret, word};

/// Configuration of AWS Secrets Manager, as written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwsSecretsManagerConfig {
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// The id of an access key that may `secretsmanager:ListSecrets` and `secretsmanager:GetSecretValue`.
    pub access_key_id: String,
    /// The access key itself.
    pub secret_access_key: Secret,
    /// The session token of temporary credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<Secret>,
    /// Only secrets with this tag, as `key=value`; `type=certificate` when absent, any when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_filter: Option<String>,
    /// Only secrets whose names begin like this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_prefix: Option<String>,
    /// Another endpoint than that of the region, such as of a private link: an absolute URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

/// Checked access to the secrets of one region.
#[derive(Clone)]
pub struct Region {
    pub(super) name: String,
    pub(super) endpoint: Url,
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Secret,
    pub(super) session_token: Option<Secret>,
    /// Key and value.
    pub(super) tag: Option<(String, String)>,
    pub(super) name_prefix: Option<String>,
}

const CERTIFICATES: &str = "type=certificate";

impl AwsSecretsManagerConfig {
    pub(super) fn validate(self) -> Result<Region, ConfigError> {
        let name = self.region.trim().to_owned();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !(4..=32).contains(&name.len()) || !name.chars().all(allowed) {
            return Err(ConfigError::at("/region", "it is no region; write it as eu-central-1"));
        }
        let tag = match self.tag_filter.as_deref().unwrap_or(CERTIFICATES).trim() {
            "" => None,
            text => match text.split_once('=') {
                Some((key, value)) if !key.is_empty() && text.len() <= 384 => Some((key.to_owned(), value.to_owned())),
                _ => return Err(ConfigError::at("/tag_filter", "write it as key=value, such as type=certificate")),
            },
        };
        let name_prefix = self.name_prefix.filter(|prefix| !prefix.is_empty());
        let name_prefix = name_prefix.map(|prefix| word("/name_prefix", &prefix, 512)).transpose()?;
        // The one partition with another domain.
        let domain = if name.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let given = self.endpoint.filter(|endpoint| !endpoint.trim().is_empty());
        let endpoint = endpoint(&given.unwrap_or_else(|| format!("https://secretsmanager.{name}.{domain}/")))?;
        Ok(Region {
            name,
            endpoint,
            access_key_id: word("/access_key_id", &self.access_key_id, 128)?,
            secret_access_key: secret("/secret_access_key", self.secret_access_key)?,
            session_token: self.session_token.filter(|token| !token.expose().is_empty()),
            tag,
            name_prefix,
        })
    }
}

/// An origin: calls have no path. `http` is possible, because an emulator has nothing else and requests are signed, not
/// encrypted, by their signature; answers are then anybody's to read.
fn endpoint(text: &str) -> Result<Url, ConfigError> {
    let wrong = || ConfigError::at("/endpoint", "write it as https://HOST, without a path and credentials");
    let url = Url::parse(text.trim()).map_err(|_| wrong())?;
    let is_origin = matches!(url.scheme(), "https" | "http")
        && url.host_str().is_some_and(|host| !host.is_empty())
        && url.path() == "/"
        && url.query().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if is_origin { Ok(url) } else { Err(wrong()) }
}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Region").field("name", &self.name).finish_non_exhaustive()
    }
}
