//! Whoever the CA finds at the names: gives the answers that issuers publish.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use certctl_core::connector::{ChallengeAnswer, ChallengeKey};
use certctl_core::testing::MemoryChallenges;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[derive(Clone)]
pub(crate) struct Answers {
    challenges: MemoryChallenges,
    silent: Arc<Mutex<BTreeSet<String>>>,
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}

impl Answers {
    pub(crate) async fn start(challenges: MemoryChallenges, http: u16, tls: u16) -> Self {
        let answers = Self { challenges, silent: Arc::default() };
        let (plain, secure) = (answers.clone(), answers.clone());
        let listener = TcpListener::bind(("127.0.0.1", http)).await.unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answers = plain.clone();
                tokio::spawn(async move {
                    let mut request = vec![0; 4096];
                    let length = stream.read(&mut request).await.unwrap_or_default();
                    let answer = answers.http(&String::from_utf8_lossy(&request[..length]));
                    let (status, body) = answer.map_or(("404 Not Found", String::new()), |body| ("200 OK", body));
                    let length = body.len();
                    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                    let _ = stream.write_all((head + &body).as_bytes()).await;
                });
            }
        });
        let listener = TcpListener::bind(("127.0.0.1", tls)).await.unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(secure));
        config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move { drop(acceptor.accept(stream).await) });
            }
        });
        answers
    }

    /// The next time that the CA looks there, nobody answers.
    pub(crate) fn be_silent_once(&self, host: &str) {
        self.silent.lock().unwrap().insert(host.to_owned());
    }

    fn http(&self, request: &str) -> Option<String> {
        let host = request.lines().find_map(|line| line.strip_prefix("Host: "))?;
        let host = host.split(':').next()?;
        let path = request.split(' ').nth(1)?;
        let token = path.strip_prefix("/.well-known/acme-challenge/")?;
        if self.silent.lock().unwrap().remove(host) {
            return None;
        }
        match self.challenges.answer(&ChallengeKey::Http01(token.to_owned()))? {
            ChallengeAnswer::Http01 { key_authorization, .. } => Some(key_authorization),
            ChallengeAnswer::TlsAlpn01 { .. } => None,
        }
    }
}

impl ResolvesServerCert for Answers {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?;
        if self.silent.lock().unwrap().remove(name) {
            return None;
        }
        let answer = self.challenges.answer(&ChallengeKey::TlsAlpn01(name.to_owned()))?;
        let ChallengeAnswer::TlsAlpn01 { certificate, key, .. } = answer else { return None };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
        let chain = vec![CertificateDer::from(certificate)];
        // Its critical extension is one that only CAs know, so nothing may read the certificate here.
        let key = aws_lc_rs::default_provider().key_provider.load_private_key(key).unwrap();
        Some(Arc::new(CertifiedKey::new(chain, key)))
    }
}
