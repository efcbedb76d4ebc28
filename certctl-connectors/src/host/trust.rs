//! TLS client configurations: whom to trust, whom to be.

use std::sync::Arc;

use certctl_core::ports::Identity;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ClientConfig, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ConfigBuilder, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The provider of this project. Configurations name it, because a library must not install a process-wide default.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A configuration that trusts these PEM roots and nobody else, or the public roots, and shows the identity if asked.
///
/// The error says what is unusable.
pub(super) fn client_config(roots_pem: Option<&str>, identity: Option<&Identity>) -> Result<ClientConfig, String> {
    let provider = provider();
    let roots = roots_pem.map_or_else(|| Ok(public_roots()), private_roots)?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| format!("the trusted roots are unusable: {error}"))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = with_verifier(builder, verifier, identity)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn with_verifier(
    builder: ConfigBuilder<ClientConfig, rustls::WantsVerifier>,
    verifier: Arc<dyn ServerCertVerifier>,
    identity: Option<&Identity>,
) -> Result<ClientConfig, String> {
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let Some(identity) = identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(&identity.chain_pem, "the client certificate")?;
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.expose().as_bytes())
        .map_err(|error| format!("the client key is not a PEM private key: {error}"))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| format!("the client identity is unusable: {error}"))
}

fn public_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

fn private_roots(pem: &str) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem, "the trusted roots")? {
        store.add(certificate).map_err(|error| format!("a trusted root is unusable: {error}"))?;
    }
    Ok(store)
}

fn certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{what}: not PEM: {error}"))?;
    if found.is_empty() { Err(format!("{what}: no `BEGIN CERTIFICATE` block in the PEM text")) } else { Ok(found) }
}
