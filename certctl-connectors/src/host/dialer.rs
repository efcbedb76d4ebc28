//! TCP streams to checked addresses.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::ports::{ByteStream, DialError, Dialer, Egress, Endpoint, TlsTerms};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::egress::{Guard, GuardError};
use super::trust;

/// Opens TCP streams behind the egress guard.
#[derive(Clone, Debug)]
pub struct GuardedDialer {
    guard: Guard,
}

impl GuardedDialer {
    /// A dialer that asks this guard.
    pub fn new(guard: Guard) -> Self {
        Self { guard }
    }
}

#[async_trait]
impl Dialer for GuardedDialer {
    async fn connect(
        &self,
        endpoint: &Endpoint,
        egress: Egress,
        timeout: Duration,
    ) -> Result<Box<dyn ByteStream>, DialError> {
        let stream =
            tokio::time::timeout(timeout, connect(&self.guard, endpoint, egress)).await.unwrap_or_else(|_| {
                Err(DialError::Unreachable {
                    endpoint: endpoint.clone(),
                    reason: format!("no connection within {timeout:?}"),
                })
            })?;
        Ok(Box::new(Stream { io: Box::new(stream), endpoint: endpoint.clone() }))
    }
}

/// Connects to the first checked address that answers.
pub(super) async fn connect(guard: &Guard, endpoint: &Endpoint, egress: Egress) -> Result<TcpStream, DialError> {
    let unreachable = |reason: String| DialError::Unreachable { endpoint: endpoint.clone(), reason };
    let addresses = guard.resolve(&endpoint.host, endpoint.port, egress).await.map_err(|error| match error {
        GuardError::Refused(refused) => {
            DialError::Refused { endpoint: endpoint.clone(), address: refused.address.to_string() }
        }
        GuardError::Resolve { .. } => unreachable(error.to_string()),
    })?;
    let mut reason = String::new();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => reason = format!("{address}: {error}"),
        }
    }
    Err(unreachable(reason))
}

/// TCP, or TLS over it.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

struct Stream {
    io: Box<dyn Io>,
    endpoint: Endpoint,
}

impl Stream {
    fn broken(&self, error: &std::io::Error) -> DialError {
        DialError::Unreachable { endpoint: self.endpoint.clone(), reason: error.to_string() }
    }
}

#[async_trait]
impl ByteStream for Stream {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, DialError> {
        let count = self.io.read(buffer).await;
        count.map_err(|error| self.broken(&error))
    }

    async fn write_all(&mut self, bytes: &[u8]) -> Result<(), DialError> {
        let written = async { self.io.write_all(bytes).await.and(self.io.flush().await) }.await;
        written.map_err(|error| self.broken(&error))
    }

    async fn secure(self: Box<Self>, terms: &TlsTerms) -> Result<Box<dyn ByteStream>, DialError> {
        let Self { io, endpoint } = *self;
        let failed = |reason: String| DialError::Handshake { endpoint: endpoint.clone(), reason };
        // Made for each stream: there are few, and they are far apart.
        let mut config = trust::client_config(terms.roots_pem.as_deref(), None).map_err(failed)?;
        config.alpn_protocols.clear();
        let name = ServerName::try_from(terms.server_name.clone())
            .map_err(|_| failed(format!("`{}` is neither a DNS name nor an IP address", terms.server_name)))?;
        let secured = TlsConnector::from(Arc::new(config)).connect(name, io).await;
        let io = secured.map_err(|error| failed(error.to_string()))?;
        Ok(Box::new(Self { io: Box::new(io), endpoint }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_go_both_ways_to_an_allowed_address_and_nowhere_else() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
        let dialer = GuardedDialer::new(Guard::default());
        let timeout = Duration::from_secs(10);
        let refused = dialer.connect(&endpoint, Egress::Configured, timeout).await.err().unwrap();
        assert!(matches!(refused, DialError::Refused { .. }), "{refused}");

        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut greeting = [0; 5];
            stream.read_exact(&mut greeting).await.unwrap();
            stream.write_all(&greeting).await.unwrap();
        });
        let mut stream = dialer.connect(&endpoint, Egress::ControlPlane, timeout).await.ok().unwrap();
        stream.write_all(b"hello").await.unwrap();
        let (mut buffer, mut echo) = ([0; 16], Vec::new());
        loop {
            match stream.read(&mut buffer).await.unwrap() {
                0 => break,
                count => echo.extend_from_slice(&buffer[..count]),
            }
        }
        assert_eq!(echo, b"hello");
        server.await.unwrap();
    }
}
