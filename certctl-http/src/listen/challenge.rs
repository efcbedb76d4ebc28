//! Answering tls-alpn-01 challenges (RFC 8737) on the server's own port: who asks for the protocol `acme-tls/1` is shown the
//! challenge's certificate, and nothing is spoken afterwards.

use std::sync::Arc;

use certctl_core::connector::{ChallengeAnswer, ChallengeKey};
use certctl_core::engine::Engine;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::ClientHello;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// RFC 8737 §6.2.
const PROTOCOL: &[u8] = b"acme-tls/1";

/// Whose name is challenged; `None` for every other handshake.
pub(super) fn challenged(hello: &ClientHello<'_>) -> Option<String> {
    // RFC 8737 §3: this protocol alone.
    let asks = hello.alpn().is_some_and(|protocols| protocols.eq([PROTOCOL]));
    asks.then(|| hello.server_name().unwrap_or_default().to_ascii_lowercase())
}

/// How the handshake goes on; `None` where nobody wants the challenge answered.
pub(super) async fn config(engine: &Engine, name: &str) -> Option<Arc<ServerConfig>> {
    let found = engine.challenge_answer(&ChallengeKey::TlsAlpn01(name.to_owned())).await;
    let found = found.unwrap_or_else(|error| {
        tracing::error!(error = %error, "a challenge could not be answered");
        None
    });
    let Some(ChallengeAnswer::TlsAlpn01 { certificate, key, .. }) = found else { return None };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
    let config = provider.key_provider.load_private_key(key).and_then(|key| {
        // Its critical extension is one that only CAs know, so nothing may read the certificate here.
        let certified = CertifiedKey::new(vec![CertificateDer::from(certificate)], key);
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth();
        Ok(builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified))))
    });
    match config {
        Ok(mut config) => {
            config.alpn_protocols = vec![PROTOCOL.to_vec()];
            Some(Arc::new(config))
        }
        Err(error) => {
            tracing::error!(%error, "the certificate of a challenge cannot be shown");
            None
        }
    }
}
