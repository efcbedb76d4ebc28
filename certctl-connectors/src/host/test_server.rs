//! A TLS server on the loopback interface, for the tests of this folder.

use std::sync::Arc;

use certctl_core::domain::Timestamp;
use certctl_core::ports::Identity;
use certctl_core::testing::{TestAuthority, TestCertificate};
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use rustls::{RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{SystemClock, trust};
use certctl_core::ports::Clock;

/// One authority, and a certificate of it for `localhost` and 127.0.0.1.
pub(super) struct World {
    authority: TestAuthority,
    pub(super) certificate: TestCertificate,
    now: Timestamp,
}

impl World {
    pub(super) async fn new() -> Self {
        let now = SystemClock::new().now();
        let authority = TestAuthority::new(1, now).await;
        let certificate = issue(&authority, now, &["localhost", "127.0.0.1"]).await;
        Self { authority, certificate, now }
    }

    pub(super) fn root_pem(&self) -> String {
        self.authority.root_pem()
    }

    pub(super) async fn identity(&self) -> Identity {
        let TestCertificate { chain, key_pem } = issue(&self.authority, self.now, &["client"]).await;
        Identity { chain_pem: chain.to_pem(), key_pem }
    }

    /// Serves every connection with one HTTP answer, whose body is the number of certificates of the client. The answer
    /// is the port.
    pub(super) async fn serve(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        wants_client_certificate: bool,
    ) -> u16 {
        let builder = ServerConfig::builder_with_provider(trust::provider()).with_protocol_versions(versions).unwrap();
        let builder = if wants_client_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(self.root_pem().as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), trust::provider()).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let chain = self.certificate.chain.certificates().iter().map(|der| CertificateDer::from(der.clone()));
        let key = PrivateKeyDer::from_pem_slice(self.certificate.key_pem.expose().as_bytes()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain.collect(), key).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that goes away is its own test's business.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let count = stream.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\n{count}");
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        port
    }
}

async fn issue(authority: &TestAuthority, now: Timestamp, names: &[&str]) -> TestCertificate {
    authority.issue(names, now - Duration::from_mins(1), now + Duration::from_hours(1)).await
}
