//! A typed client, over the engine's own port for HTTP: it needs no runtime, and tests can script it.
//!
//! There is a method per operation of the API. Errors of the server arrive as its problem documents.

mod access;
mod acme;
mod agent;
mod agent_group;
mod audit;
mod certificate;
mod crl;
mod digest;
mod discovery;
mod error;
mod est;
mod health_check;
mod intermediate;
mod issuer;
mod job;
mod key;
mod listing;
mod network_scan;
mod notification;
mod ownership;
mod policy;
mod raw;
mod remote_control_plane;
mod rule;
mod scep;
mod send;
mod stats;
mod target;

use std::sync::Arc;
use std::time::Duration;

use certctl_core::ports::{Egress, HttpClient, HttpOptions, Secret};
use url::Url;

pub use agent::Retirement;
pub use error::ClientError;
pub use listing::Listing;
pub use network_scan::ScanAnswer;
pub use raw::{RawAnswer, RawRequest};
pub use remote_control_plane::RemoteControlPlane;

/// A client of one server. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: Arc<dyn HttpClient>,
    base: Url,
    key: Option<Secret>,
    options: HttpOptions,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the server at `base`, without a key. Waits 30 seconds for an answer, reads at most 16 MiB of it, and
    /// follows no redirects, because they would take the key elsewhere.
    pub fn new(http: Arc<dyn HttpClient>, base: Url) -> Self {
        let options = HttpOptions {
            timeout: Duration::from_secs(30),
            max_response: 16 << 20,
            egress: Egress::ControlPlane,
            ..HttpOptions::default()
        };
        Self { http, base, key: None, options }
    }

    /// With an API key or an agent's credential.
    #[must_use = "this makes a new client"]
    pub fn with_key(mut self, key: Secret) -> Self {
        self.key = Some(key);
        self
    }

    /// Trusting these roots (PEM) instead of the public ones.
    #[must_use = "this makes a new client"]
    pub fn trusting(mut self, roots_pem: impl Into<String>) -> Self {
        self.options.roots_pem = Some(roots_pem.into());
        self
    }

    /// Waiting this long for an answer.
    #[must_use = "this makes a new client"]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Through a proxy.
    #[must_use = "this makes a new client"]
    pub fn through(mut self, proxy: Url) -> Self {
        self.options.proxy = Some(proxy);
        self
    }

    /// The server.
    pub fn base(&self) -> &Url {
        &self.base
    }
}
