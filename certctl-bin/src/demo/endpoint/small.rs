//! A small TLS endpoint: one answer, and a certificate that is read from its files at each handshake.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::failure::Failure;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 25\r\nconnection: close\r\n\r\nserved by certctl's demo\n";

/// A running endpoint.
pub(super) struct SmallEndpoint {
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl SmallEndpoint {
    /// Serves these files on a free port.
    pub(super) async fn start(cert: &Path, key: &Path) -> Result<Self, Failure> {
        let files = FromFiles { cert: cert.to_path_buf(), key: key.to_path_buf(), last: Mutex::default() };
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(files));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(acceptor.clone(), stream));
            }
        });
        Ok(Self { address, task })
    }

    pub(super) fn stop(&mut self) {
        self.task.abort();
    }
}

/// What goes wrong here is the visitor's to notice.
async fn answer(acceptor: TlsAcceptor, stream: TcpStream) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut request = [0; 1024];
    if matches!(stream.read(&mut request).await, Ok(length) if length > 0) {
        let _ = stream.write_all(ANSWER).await;
    }
    let _ = stream.shutdown().await;
}

/// Reads the pair at each handshake.
#[derive(Debug)]
struct FromFiles {
    cert: PathBuf,
    key: PathBuf,
    last: Mutex<Option<Arc<CertifiedKey>>>,
}

impl FromFiles {
    /// `None` when the two do not belong together: a switch happened between the two reads.
    fn read(&self) -> Option<CertifiedKey> {
        let chain: Vec<_> = CertificateDer::pem_file_iter(&self.cert).ok()?.collect::<Result<_, _>>().ok()?;
        let key = PrivateKeyDer::from_pem_file(&self.key).ok()?;
        CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).ok()
    }
}

impl ResolvesServerCert for FromFiles {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pair) = self.read() {
            *last = Some(Arc::new(pair));
        }
        last.clone()
    }
}
