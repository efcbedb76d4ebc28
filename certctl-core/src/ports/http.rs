//! Outbound HTTP.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

use super::Secret;

/// An HTTP method that connectors use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

/// A request.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// An absolute `http` or `https` URL.
    pub url: Url,
    /// Names and values; a value may be secret, so it is one.
    pub headers: Vec<(String, Secret)>,
    /// The body; empty for none.
    pub body: Bytes,
}

impl HttpRequest {
    /// A request without headers and body.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: Vec::new(), body: Bytes::new() }
    }
    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), Secret::new(value)));
        self
    }
    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

/// A client certificate: PEM chain and PEM PKCS#8 key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The chain, leaf first.
    pub chain_pem: String,
    /// The key.
    pub key_pem: Secret,
}

/// Which addresses a call may reach (requirements D6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Egress {
    /// What an operator configured: private ranges are allowed; loopback, link-local, metadata, multicast and
    /// unspecified addresses are not, unless in the `[egress] allow` list.
    Configured,
    /// What somebody else named (ACME validation, redirects, AIA, CDP): public addresses only, unless allowed.
    Untrusted,
    /// The control plane itself, named by whoever started this process: no limit.
    ControlPlane,
}

/// How a request is sent.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// PEM certificates to trust *instead of* the public roots; `None` trusts the public roots.
    pub roots_pem: Option<String>,
    /// A client certificate.
    pub identity: Option<Identity>,
    /// A proxy URL.
    pub proxy: Option<Url>,
    /// From the first byte sent to the last received.
    pub timeout: Duration,
    /// Longest body accepted, in bytes; a longer one is [`HttpError::TooLarge`].
    pub max_response: usize,
    /// How many redirects are followed. Each is checked like a new call, as [`Egress::Untrusted`].
    pub redirects: u8,
    /// Which addresses may be reached.
    pub egress: Egress,
}

impl Default for HttpOptions {
    /// Public roots, 30 s, 1 MiB, no redirects, an operator's target.
    fn default() -> Self {
        Self {
            roots_pem: None,
            identity: None,
            proxy: None,
            timeout: Duration::from_secs(30),
            max_response: 1 << 20,
            redirects: 0,
            egress: Egress::Configured,
        }
    }
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Lower-case names, and values; values that are no text are left out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl HttpResponse {
    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// No answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The egress guard refused an address.
    #[error("{host} resolves to {address}, which this server must not call; add it to [egress] allow if it should")]
    Refused {
        /// The host of the URL.
        host: String,
        /// The address it stands for.
        address: String,
    },
    /// No connection, or it broke.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// The host of the URL.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// No complete answer in time.
    #[error("no answer from {host} within {after:?}")]
    Timeout {
        /// The host of the URL.
        host: String,
        /// The limit.
        after: Duration,
    },
    /// The answer is longer than allowed.
    #[error("the answer of {host} is longer than {limit} bytes")]
    TooLarge {
        /// The host of the URL.
        host: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The request itself is unusable, such as a URL without a host or roots that are no PEM.
    #[error("unusable request: {0}")]
    Invalid(String),
}

/// Sends requests.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends one request and reads the whole answer.
    async fn send(&self, request: HttpRequest, options: &HttpOptions) -> Result<HttpResponse, HttpError>;
}
