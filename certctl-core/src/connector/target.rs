//! Targets: what serves a certificate, and how a new one gets there.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ConfigError, ConnectorError};
use crate::domain::{Chain, Fingerprint, TargetId, Timestamp};
use crate::ports::{Endpoint, Ports, Secret};
use crate::text_enum;

/// What the server needs of a kind of target: its configuration. Always compiled in, without any SDK.
pub trait TargetSpec: 'static {
    /// The wire name, such as `NGINX`.
    const KIND: &'static str;
    /// Other spellings that are understood.
    const ALIASES: &'static [&'static str] = &[];
    /// The connector's page, in Markdown.
    const DOCS: &'static str;
    /// As written by operators. Must refuse unknown fields; secrets are typed [`Secret`].
    type Config: Serialize + DeserializeOwned + JsonSchema;
    /// As parsed and checked.
    type Valid: Send + Sync;
    /// Checks a configuration. Pure; runs whenever one is written.
    fn validate(config: Self::Config) -> Result<Self::Valid, ConfigError>;
}

/// What an agent needs of a kind of target: the doing.
pub trait TargetPlugin: TargetSpec {
    /// Makes the target. Must not touch anything yet.
    fn build(valid: Self::Valid, cx: &TargetContext) -> Result<Arc<dyn Target>, ConnectorError>;
}

/// The world of one target on its agent's host.
#[derive(Clone, Debug)]
pub struct TargetContext {
    /// The target's id.
    pub id: TargetId,
    /// The ports.
    pub ports: Ports,
    /// The agent's own directory.
    pub state_dir: PathBuf,
    /// Command prefixes that this host allows besides the connector's own (requirements F2).
    pub allowed_commands: Vec<Vec<String>>,
    /// Directories below which this host lets certificates be put besides the connector's own (requirements F2).
    pub allowed_paths: Vec<PathBuf>,
}

/// A configured target, on its agent's host.
#[async_trait]
pub trait Target: Debug + Send + Sync {
    /// Finishes or rolls back what a crash interrupted. Called before the first deployment after a start.
    async fn recover(&self) -> Result<(), DeployError>;

    /// Puts a certificate and its key in service: all of it, or none of it.
    async fn deploy(&self, deployment: Deployment<'_>) -> Result<DeployOutcome, DeployError>;

    /// Where a TLS handshake shows what is served, if anywhere.
    fn probe_point(&self) -> Option<ProbePoint>;
}

/// What is to be deployed.
#[derive(Clone, Copy, Debug)]
pub struct Deployment<'a> {
    /// Leaf first.
    pub chain: &'a Chain,
    /// The key, PEM PKCS#8.
    pub key_pem: &'a Secret,
    /// The moment, for checks of validity.
    pub now: Timestamp,
}

/// How a deployment went well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeployOutcome {
    /// The new certificate is in service.
    Deployed {
        /// Its fingerprint.
        fingerprint: Fingerprint,
    },
    /// It was in service already, activated and observed.
    Unchanged {
        /// Its fingerprint.
        fingerprint: Fingerprint,
    },
}

/// Where to shake hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbePoint {
    /// Host and port.
    pub endpoint: Endpoint,
    /// The server name to ask for; the endpoint's host when absent.
    pub server_name: Option<String>,
}

text_enum! {
    /// Why a deployment failed; stored with the job.
    pub enum DeployCause {
        /// The certificate and the key do not belong together.
        KeyMismatch = "key_mismatch",
        /// The chain is unusable: not parseable, out of order, not valid now.
        BadChain = "bad_chain",
        /// A file could not be written for want of space.
        DiskFull = "disk_full",
        /// A file operation failed otherwise.
        Files = "files",
        /// The server's own configuration test refused.
        ConfigTest = "config_test",
        /// The server did not reload.
        Reload = "reload",
        /// The host's local policy refuses a path or a command.
        LocalPolicy = "local_policy",
        /// Something else serves, or nothing does.
        Observe = "observe",
    }
}

/// A deployment failed. What was in service before is in service again unless `rolled_back` is false.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}: {message}")]
pub struct DeployError {
    /// Why.
    pub cause: DeployCause,
    /// What happened and what to do about it.
    pub message: String,
    /// Whether what was there before is back, byte for byte.
    pub rolled_back: bool,
    /// Whether trying again may help.
    pub retryable: bool,
}
