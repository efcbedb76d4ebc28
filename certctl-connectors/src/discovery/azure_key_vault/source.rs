//! Listing certificates and fetching the current version of each.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl_core::connector::{ConnectorError, DiscoverySource, SourceItem, SourcePage};
use certctl_core::ports::{HttpRequest, Method, Ports, Secret};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::config::Vault;
use crate::discovery::calls::{Service, Token, TokenAnswer, concerns_one};

/// The certificates of one vault.
pub(super) struct Source {
    vault: Vault,
    service: Service,
    token: Token,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.vault.fmt(f)
    }
}

const API: &str = "7.4";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    value: Vec<Entry>,
    next_link: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
}

#[derive(Deserialize)]
struct Certificate {
    /// DER in base64.
    cer: Option<String>,
}

impl Source {
    pub(super) fn new(vault: Vault, ports: &Ports) -> Self {
        Self { vault, service: Service::new("Azure Key Vault", ports), token: Token::default() }
    }

    /// By the client credentials grant (RFC 6749 §4.4).
    async fn token(&self) -> Result<Secret, ConnectorError> {
        if let Some(token) = self.token.good(self.service.clock.monotonic()) {
            return Ok(token);
        }
        let form = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.vault.client_id)
            .append_pair("client_secret", self.vault.client_secret.expose())
            .append_pair("scope", &self.vault.scope)
            .finish();
        let request = HttpRequest::new(Method::Post, self.vault.token_url.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let asked_at = self.service.clock.monotonic();
        Ok(self.token.keep(self.service.json::<TokenAnswer>(request).await?, asked_at))
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, ConnectorError> {
        let token = self.token().await?;
        let authorization = format!("Bearer {}", token.expose());
        self.service.json(HttpRequest::new(Method::Get, url).header("authorization", authorization)).await
    }

    /// A URL that the vault named, if it is one of the vault: the token must not go elsewhere.
    fn own(&self, text: &str) -> Option<Url> {
        Url::parse(text).ok().filter(|url| url.origin() == self.vault.url.origin() && url.username().is_empty())
    }

    fn first_page(&self) -> Url {
        let mut url = self.vault.url.clone();
        url.set_path("certificates");
        url.query_pairs_mut().append_pair("api-version", API).append_pair("maxresults", "25");
        url
    }

    async fn item(&self, entry: &Entry) -> Result<Option<SourceItem>, ConnectorError> {
        let url = self.own(&entry.id);
        let name = url.as_ref().and_then(|url| url.path_segments()?.nth(1)).filter(|name| !name.is_empty());
        let (Some(url), Some(name)) = (url.clone(), name) else { return Ok(None) };
        let path = format!("azure-kv://{}/{name}", self.vault.host);
        let contents = match self.get::<Certificate>(with_version(url)).await {
            Ok(Certificate { cer: Some(cer) }) => {
                STANDARD.decode(cer).map(Zeroizing::new).map_err(|_| "its certificate is no base64".to_owned())
            }
            Ok(Certificate { cer: None }) => Err("it has no certificate yet".to_owned()),
            Err(error) if concerns_one(&error) => Err(error.explained()),
            Err(error) => return Err(error),
        };
        Ok(Some(SourceItem { path, format: "azure-kv", contents }))
    }
}

fn with_version(mut url: Url) -> Url {
    url.query_pairs_mut().clear().append_pair("api-version", API);
    url
}

#[async_trait]
impl DiscoverySource for Source {
    fn place(&self) -> String {
        format!("azure-kv://{}", self.vault.host)
    }

    async fn page(&self, after: Option<&str>) -> Result<SourcePage, ConnectorError> {
        let url = after.map_or_else(
            || Ok(self.first_page()),
            |link| {
                self.own(link).ok_or_else(|| {
                    ConnectorError::permanent("Azure Key Vault names a next page outside of the vault; it is not asked")
                })
            },
        )?;
        let listed: Listed = self.get(url).await?;
        let mut items = Vec::new();
        for entry in &listed.value {
            items.extend(self.item(entry).await?);
        }
        Ok(SourcePage { items, next: listed.next_link.filter(|link| !link.is_empty()) })
    }
}
