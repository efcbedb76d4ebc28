//! Outbound streams, for protocols that are not HTTP.

use std::time::Duration;

use async_trait::async_trait;

use super::Egress;

/// Where to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A host name or an IP literal without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Whom a stream in TLS must lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsTerms {
    /// The DNS name or IP address that the certificate must be for.
    pub server_name: String,
    /// PEM certificates to trust *instead of* the public roots; `None` trusts the public roots.
    pub roots_pem: Option<String>,
}

/// No stream was opened, or it broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The egress guard refused an address.
    #[error("{endpoint} resolves to {address}, which this server must not call; add it to [egress] allow if it should")]
    Refused {
        /// Where it should have gone.
        endpoint: Endpoint,
        /// The address it stands for.
        address: String,
    },
    /// No connection, or it broke.
    #[error("cannot reach {endpoint}: {reason}")]
    Unreachable {
        /// Where it should have gone.
        endpoint: Endpoint,
        /// What went wrong.
        reason: String,
    },
    /// There is no TLS with it, or none that can be trusted.
    #[error("no TLS with {endpoint}: {reason}")]
    Handshake {
        /// Where it went.
        endpoint: Endpoint,
        /// What went wrong.
        reason: String,
    },
}

/// A connected stream.
#[async_trait]
pub trait ByteStream: Send {
    /// Reads some bytes; 0 at the end.
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, DialError>;
    /// Writes all bytes.
    async fn write_all(&mut self, bytes: &[u8]) -> Result<(), DialError>;
    /// Goes on in TLS 1.2 or 1.3: the other side must prove that it is who the terms name.
    async fn secure(self: Box<Self>, terms: &TlsTerms) -> Result<Box<dyn ByteStream>, DialError>;
}

/// Opens streams behind the egress guard.
#[async_trait]
pub trait Dialer: Send + Sync {
    /// Opens a TCP stream within the time.
    async fn connect(
        &self,
        endpoint: &Endpoint,
        egress: Egress,
        timeout: Duration,
    ) -> Result<Box<dyn ByteStream>, DialError>;
}
