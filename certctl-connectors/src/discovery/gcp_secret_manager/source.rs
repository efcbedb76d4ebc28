//! Listing secrets and fetching the latest version of each.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use certctl_core::connector::{ConnectorError, DiscoverySource, SourceItem, SourcePage};
use certctl_core::ports::{HttpRequest, Keys, Method, Ports, Secret};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::config::Project;
use crate::discovery::calls::{Service, Token, TokenAnswer, concerns_one};

/// The secrets of one project.
pub(super) struct Source {
    project: Project,
    service: Service,
    keys: Arc<dyn Keys>,
    token: Token,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.project.fmt(f)
    }
}

const ORIGIN: &str = "https://secretmanager.googleapis.com";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    secrets: Vec<Entry>,
    #[serde(default)]
    next_page_token: String,
}

#[derive(Deserialize)]
struct Entry {
    /// `projects/NUMBER/secrets/NAME`.
    name: String,
}

#[derive(Deserialize)]
struct Accessed {
    payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    data: Option<Secret>,
}

impl Source {
    pub(super) fn new(project: Project, ports: &Ports) -> Self {
        let keys = Arc::clone(&ports.keys);
        Self { project, service: Service::new("Google Secret Manager", ports), keys, token: Token::default() }
    }

    /// By a signed statement of the service account (RFC 7523 §2.1).
    async fn token(&self) -> Result<Secret, ConnectorError> {
        if let Some(token) = self.token.good(self.service.clock.monotonic()) {
            return Ok(token);
        }
        let assertion = self.assertion().await?;
        let form = Serializer::new(String::new())
            .append_pair("grant_type", GRANT)
            .append_pair("assertion", &assertion)
            .finish();
        let request = HttpRequest::new(Method::Post, self.project.token_url.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let asked_at = self.service.clock.monotonic();
        Ok(self.token.keep(self.service.json::<TokenAnswer>(request).await?, asked_at))
    }

    /// A JSON Web Token signed with RS256 (RFC 7515 §3.1, RFC 7518 §3.3).
    async fn assertion(&self) -> Result<String, ConnectorError> {
        let now = self.service.clock.now().unix_seconds();
        let claims = json!({
            "iss": self.project.email, "scope": SCOPE, "aud": self.project.token_url.as_str(), "iat": now,
            "exp": now.saturating_add(3_600),
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let statement = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(&claims));
        let unusable = |error: certctl_core::ports::KeyError| {
            ConnectorError::permanent("the key of the service account cannot sign").because(error)
        };
        let signer = self.keys.open(&self.project.key).await.map_err(unusable)?;
        let signature = signer.sign(statement.as_bytes()).await.map_err(unusable)?;
        Ok(format!("{statement}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, ConnectorError> {
        let url = Url::parse(ORIGIN).and_then(|origin| origin.join(path));
        let mut url =
            url.map_err(|error| ConnectorError::permanent("Google names a secret that has no URL").because(error))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let authorization = format!("Bearer {}", self.token().await?.expose());
        self.service.json(HttpRequest::new(Method::Get, url).header("authorization", authorization)).await
    }

    async fn item(&self, entry: &Entry) -> Result<Option<SourceItem>, ConnectorError> {
        let mut parts = entry.name.split('/');
        let named = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
        // Anything else would lead to another path, with the token.
        let (Some("projects"), Some(number), Some("secrets"), Some(name), None) = named else { return Ok(None) };
        let plain =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
        if !plain(number) || !plain(name) || name.starts_with('.') {
            return Ok(None);
        }
        let path = format!("gcp-sm://{}/{name}", self.project.id);
        let latest = format!("/v1/projects/{number}/secrets/{name}/versions/latest:access");
        let contents = match self.get::<Accessed>(&latest, &[]).await {
            Ok(accessed) => STANDARD
                .decode(accessed.payload.data.as_ref().map_or("", Secret::expose))
                .map(Zeroizing::new)
                .map_err(|_| "its data is no base64".to_owned()),
            Err(error) if concerns_one(&error) => Err(error.explained()),
            Err(error) => return Err(error),
        };
        Ok(Some(SourceItem { path, format: "gcp-sm", contents }))
    }
}

#[async_trait]
impl DiscoverySource for Source {
    fn place(&self) -> String {
        format!("gcp-sm://{}", self.project.id)
    }

    async fn page(&self, after: Option<&str>) -> Result<SourcePage, ConnectorError> {
        let mut query = vec![("filter", "labels.type=certificate"), ("pageSize", "50")];
        query.extend(after.map(|token| ("pageToken", token)));
        let path = format!("/v1/projects/{}/secrets", self.project.id);
        let listed: Listed = self.get(&path, &query).await?;
        let mut items = Vec::new();
        for entry in &listed.secrets {
            items.extend(self.item(entry).await?);
        }
        Ok(SourcePage { items, next: Some(listed.next_page_token).filter(|token| !token.is_empty()) })
    }
}
