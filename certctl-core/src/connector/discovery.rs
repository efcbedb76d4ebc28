//! Discovery sources: what keeps certificates where no agent and no handshake finds them, such as the secrets of a cloud.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{ConfigError, ConnectorContext, ConnectorError};

/// A kind of discovery source: how it is configured and built.
pub trait DiscoveryPlugin: 'static {
    /// The wire name, such as `AWSSecretsManager`.
    const KIND: &'static str;
    /// The agent that stands for what it finds: one of [`Agent::SENTINELS`](crate::domain::Agent::SENTINELS).
    const AGENT: &'static str;
    /// The connector's page, in Markdown.
    const DOCS: &'static str;
    /// As written by operators. Must refuse unknown fields; secrets are typed [`Secret`](crate::ports::Secret).
    type Config: Serialize + DeserializeOwned + JsonSchema;
    /// As parsed and checked.
    type Valid: Send + Sync;
    /// Checks a configuration. Pure.
    fn validate(config: Self::Config) -> Result<Self::Valid, ConfigError>;
    /// Makes the source. Must not call anybody.
    fn build(valid: Self::Valid, cx: &ConnectorContext) -> Result<Arc<dyn DiscoverySource>, ConnectorError>;
}

/// A configured discovery source. It only fetches: whoever asks reads the certificates.
#[async_trait]
pub trait DiscoverySource: Debug + Send + Sync {
    /// Where it looks, such as `aws-sm://eu-central-1`: what lists of searches show.
    fn place(&self) -> String;
    /// Some of what it keeps: the beginning, or what follows the page that gave this mark. What one page holds must fit into
    /// memory; what cannot be fetched is told and is no reason to give up the rest.
    async fn page(&self, after: Option<&str>) -> Result<SourcePage, ConnectorError>;
}

/// A part of what a source keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourcePage {
    /// What is on it.
    pub items: Vec<SourceItem>,
    /// Where the next page begins; absent on the last.
    pub next: Option<String>,
}

/// Something that should hold certificates.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceItem {
    /// Where it is, such as `aws-sm://eu-central-1/shop`. The same one in each search.
    pub path: String,
    /// The kind of secret, such as `aws-sm`.
    pub format: &'static str,
    /// What it holds, PEM or DER, perhaps with a private key; or why it could not be fetched.
    pub contents: Result<Zeroizing<Vec<u8>>, String>,
}

impl Debug for SourceItem {
    /// It may hold a private key, so its contents are not shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceItem").field("path", &self.path).field("format", &self.format).finish_non_exhaustive()
    }
}
