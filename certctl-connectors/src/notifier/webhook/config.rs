//! Where a webhook is and how its calls are signed.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl_core::connector::ConfigError;
use certctl_core::ports::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

/// Configuration of a webhook, as written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where notices are posted: an absolute `https` or `http` URL.
    pub url: String,
    /// The key of the signatures, 16 to 512 characters; without one nothing is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Further headers, such as `Authorization`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Secret>,
}

/// A checked webhook.
#[derive(Clone)]
pub struct WebhookEndpoint {
    pub(super) url: Url,
    pub(super) signing: Option<SigningKeys>,
    pub(super) headers: Vec<(String, Secret)>,
}

/// The octets that sign; both forms come from one secret.
#[derive(Clone)]
pub(super) struct SigningKeys {
    /// The secret as text: the key of `X-Signature`.
    pub(super) text: Secret,
    /// The key of `webhook-signature`: the octets behind `whsec_`, else the text's.
    pub(super) octets: Zeroizing<Vec<u8>>,
}

/// Headers that this connector or HTTP itself sets.
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-signature",
    "x-signature-algorithm",
];

const MAX_HEADERS: usize = 32;

impl WebhookConfig {
    pub(super) fn validate(self) -> Result<WebhookEndpoint, ConfigError> {
        let headers =
            self.headers.into_iter().map(|(name, value)| header(name, value)).collect::<Result<Vec<_>, _>>()?;
        if headers.len() > MAX_HEADERS {
            return Err(ConfigError::at("/headers", format!("at most {MAX_HEADERS} headers are sent")));
        }
        let secret = self.secret.filter(|secret| !secret.expose().is_empty());
        Ok(WebhookEndpoint { url: url(&self.url)?, signing: secret.map(signing).transpose()?, headers })
    }
}

impl std::fmt::Debug for WebhookEndpoint {
    /// Only the host: path, query and headers of webhooks are often secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookEndpoint")
            .field("host", &self.url.host_str())
            .field("signed", &self.signing.is_some())
            .finish_non_exhaustive()
    }
}

fn url(text: &str) -> Result<Url, ConfigError> {
    let refused = |why: &str| Err(ConfigError::at("/url", format!("{why}; write it as https://host/path")));
    let Ok(url) = Url::parse(text.trim()) else { return refused("it is no absolute URL") };
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none_or(str::is_empty) {
        return refused("it is no https or http URL");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ConfigError::at("/url", "credentials do not belong into it; send them as an Authorization header"));
    }
    Ok(url)
}

fn signing(secret: Secret) -> Result<SigningKeys, ConfigError> {
    let refused = |why: &str| Err(ConfigError::at("/secret", why.to_owned()));
    if !(16..=512).contains(&secret.expose().len()) {
        return refused("it must have 16 to 512 characters; `openssl rand -base64 32` makes a good one");
    }
    let octets = match secret.expose().strip_prefix("whsec_") {
        Some(encoded) => match STANDARD.decode(encoded) {
            Ok(octets) if octets.len() >= 16 => octets,
            _ => return refused("what follows `whsec_` must be base64 of at least 16 octets"),
        },
        None => secret.expose().as_bytes().to_vec(),
    };
    Ok(SigningKeys { text: secret, octets: Zeroizing::new(octets) })
}

/// A field name is a token (RFC 9110 §5.6.2) and a field value has no control characters (RFC 9110 §5.5).
fn header(name: String, value: Secret) -> Result<(String, Secret), ConfigError> {
    let pointer = format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || name.len() > 128 || !name.chars().all(token) {
        return Err(ConfigError::at(pointer, "this is no name of an HTTP header"));
    }
    if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(ConfigError::at(pointer, "this header is set by the webhook itself; leave it out"));
    }
    if value.expose().len() > 8192 || !value.expose().chars().all(|c| c == '\t' || (' '..='~').contains(&c)) {
        return Err(ConfigError::at(pointer, "the value must be one line of at most 8192 ASCII characters"));
    }
    Ok((name, value))
}
