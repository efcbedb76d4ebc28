//! Handshakes that observe what is served.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use certctl_core::ports::{DialError, ProbeError, TlsObservation, TlsProbe, TlsProbeRequest};
use rustls::client::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;

use super::HostError;
use super::dialer::connect;
use super::egress::Guard;
use super::trust;

/// Observes TLS endpoints behind the egress guard; TLS 1.2 and 1.3, no client certificate.
#[derive(Clone, Debug)]
pub struct GuardedTlsProbe {
    guard: Guard,
    provider: Arc<CryptoProvider>,
}

impl GuardedTlsProbe {
    /// A probe that asks this guard.
    ///
    /// # Errors
    /// [`HostError::Tls`] when the TLS stack refuses the configuration.
    pub fn new(guard: Guard) -> Result<Self, HostError> {
        let probe = Self { guard, provider: trust::provider() };
        let recorder = Arc::new(Recorder::new(&probe.provider));
        probe.config(recorder).map_err(|error| HostError::Tls(error.to_string()))?;
        Ok(probe)
    }

    fn config(&self, recorder: Arc<Recorder>) -> Result<ClientConfig, Error> {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(recorder)
            .with_no_client_auth();
        // A resumed session shows no certificate.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }

    async fn handshake(&self, request: &TlsProbeRequest) -> Result<TlsObservation, ProbeError> {
        let endpoint = &request.endpoint;
        let failed = |reason: String| ProbeError::Handshake { endpoint: endpoint.clone(), reason };
        let name = server_name(request).map_err(failed)?;
        let stream = connect(&self.guard, endpoint, request.egress).await.map_err(|error| match error {
            DialError::Refused { endpoint, address } => ProbeError::Refused { endpoint, address },
            DialError::Unreachable { endpoint, reason } => ProbeError::Unreachable { endpoint, reason },
            other => ProbeError::Unreachable { endpoint: endpoint.clone(), reason: other.to_string() },
        })?;
        let recorder = Arc::new(Recorder::new(&self.provider));
        let config = self.config(Arc::clone(&recorder)).map_err(|error| failed(error.to_string()))?;
        match TlsConnector::from(Arc::new(config)).connect(name, stream).await {
            Ok(stream) => {
                let (_, connection) = stream.get_ref();
                Ok(TlsObservation {
                    chain: recorder.seen().chain,
                    protocol: connection.protocol_version().map_or(UNKNOWN, protocol).to_owned(),
                    cipher_suite: connection
                        .negotiated_cipher_suite()
                        .and_then(|suite| suite.suite().as_str())
                        .unwrap_or(UNKNOWN)
                        .to_owned(),
                })
            }
            Err(error) => {
                // A server that insists on a client certificate ends a TLS 1.2 handshake after it has proven its own.
                let seen = recorder.seen();
                match seen.proven {
                    Some(protocol) => Ok(TlsObservation {
                        chain: seen.chain,
                        protocol: protocol.to_owned(),
                        cipher_suite: UNKNOWN.to_owned(),
                    }),
                    None => Err(failed(error.to_string())),
                }
            }
        }
    }
}

#[async_trait]
impl TlsProbe for GuardedTlsProbe {
    async fn probe(&self, request: &TlsProbeRequest) -> Result<TlsObservation, ProbeError> {
        tokio::time::timeout(request.timeout, self.handshake(request))
            .await
            .unwrap_or_else(|_| Err(ProbeError::Timeout { endpoint: request.endpoint.clone(), after: request.timeout }))
    }
}

const UNKNOWN: &str = "unknown";

fn protocol(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => UNKNOWN,
    }
}

/// The name to ask for. An IP address is never sent in the SNI (RFC 6066 §3).
fn server_name(request: &TlsProbeRequest) -> Result<ServerName<'static>, String> {
    let name = request.server_name.as_deref().unwrap_or(&request.endpoint.host);
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(ServerName::IpAddress(address.into()));
    }
    ServerName::try_from(name.to_owned()).map_err(|_| format!("`{name}` is neither a DNS name nor an IP address"))
}

/// Accepts every certificate and keeps what was sent; only the proof of possession of its key is checked.
#[derive(Debug)]
struct Recorder {
    provider: Arc<CryptoProvider>,
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    chain: Vec<Vec<u8>>,
    /// The protocol in which the server has proven that it has the key.
    proven: Option<&'static str>,
}

impl Recorder {
    fn new(provider: &Arc<CryptoProvider>) -> Self {
        Self { provider: Arc::clone(provider), seen: Mutex::default() }
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn judge(
        &self,
        verdict: Result<HandshakeSignatureValid, Error>,
        protocol: &'static str,
    ) -> Result<HandshakeSignatureValid, Error> {
        // A server without the key is not the holder of the certificate it shows.
        if let Err(Error::InvalidCertificate(CertificateError::BadSignature)) = verdict {
            return verdict;
        }
        // Odd certificates (version 1, unknown algorithms) cannot be checked and are still worth seeing.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).proven = Some(protocol);
        Ok(HandshakeSignatureValid::assertion())
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.as_ref().to_vec()).collect();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).chain = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.judge(verify_tls12_signature(message, certificate, signature, algorithms), "TLSv1.2")
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.judge(verify_tls13_signature(message, certificate, signature, algorithms), "TLSv1.3")
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
