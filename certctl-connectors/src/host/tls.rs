//! Handshakes that observe what is served.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::ports::{Endpoint, Greeted, ProbeError, TlsObservation, TlsProbe, TlsProbeRequest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, ClientConnection};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;

use super::HostError;
use super::egress::{Guard, GuardError};
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

    /// Connects, sends the hello, and waits until the peer says anything.
    async fn hello(&self, request: &TlsProbeRequest, protocol: Option<&str>) -> Result<Hello, ProbeError> {
        let endpoint = &request.endpoint;
        let failed = |reason: String| ProbeError::Handshake { endpoint: endpoint.clone(), reason };
        let name = server_name(request).map_err(failed)?;
        let stream = open(&self.guard, request).await?;
        let recorder = Arc::new(Recorder::new(&self.provider));
        let mut config = self.config(Arc::clone(&recorder)).map_err(|error| failed(error.to_string()))?;
        config.alpn_protocols = protocol.map(|protocol| protocol.as_bytes().to_vec()).into_iter().collect();
        let connection = ClientConnection::new(Arc::new(config), name).map_err(|error| failed(error.to_string()))?;
        let protocol = protocol.map(|protocol| protocol.as_bytes().to_vec());
        let mut hello = Hello { stream, connection, recorder, endpoint: endpoint.clone(), protocol };
        hello.send().await.map_err(|error| failed(error.to_string()))?;
        hello.stream.readable().await.map_err(|error| failed(error.to_string()))?;
        Ok(hello)
    }
}

#[async_trait]
impl TlsProbe for GuardedTlsProbe {
    async fn probe(&self, request: &TlsProbeRequest) -> Result<TlsObservation, ProbeError> {
        let whole = async { self.hello(request, None).await?.shake().await };
        tokio::time::timeout(request.timeout, whole)
            .await
            .unwrap_or_else(|_| Err(ProbeError::Timeout { endpoint: request.endpoint.clone(), after: request.timeout }))
    }

    async fn probe_protocol(
        &self,
        request: &TlsProbeRequest,
        protocol: &'static str,
    ) -> Result<TlsObservation, ProbeError> {
        let whole = async { self.hello(request, Some(protocol)).await?.shake().await };
        tokio::time::timeout(request.timeout, whole)
            .await
            .unwrap_or_else(|_| Err(ProbeError::Timeout { endpoint: request.endpoint.clone(), after: request.timeout }))
    }

    async fn greet(&self, request: TlsProbeRequest) -> Result<Box<dyn Greeted + '_>, ProbeError> {
        let (endpoint, after) = (request.endpoint.clone(), request.timeout);
        let hello = tokio::time::timeout(after, self.hello(&request, None))
            .await
            .unwrap_or_else(|_| Err(ProbeError::Timeout { endpoint, after }))?;
        Ok(Box::new(Answered { hello, timeout: after }))
    }
}

/// A peer that has answered.
struct Answered {
    hello: Hello,
    timeout: Duration,
}

#[async_trait]
impl Greeted for Answered {
    async fn finish(self: Box<Self>) -> Result<TlsObservation, ProbeError> {
        let Self { hello, timeout } = *self;
        let endpoint = hello.endpoint.clone();
        let late = ProbeError::Timeout { endpoint, after: timeout };
        tokio::time::timeout(timeout, hello.shake()).await.unwrap_or(Err(late))
    }
}

/// More than any handshake needs, in octets. A peer that sends certificates without end is cut here, where it is not cut by
/// the limit of one message (64 KiB) already.
const LONGEST_HANDSHAKE: usize = 256 << 10;

/// A handshake under way.
struct Hello {
    stream: TcpStream,
    connection: ClientConnection,
    recorder: Arc<Recorder>,
    endpoint: Endpoint,
    /// The application protocol that the peer must choose.
    protocol: Option<Vec<u8>>,
}

impl Hello {
    /// Sends what there is to send.
    async fn send(&mut self) -> std::io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Attempt(&self.stream)) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => self.stream.writable().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn shake(mut self) -> Result<TlsObservation, ProbeError> {
        let outcome = self.exchange().await;
        let seen = self.recorder.seen();
        let protocol = match outcome {
            Ok(()) => self.connection.protocol_version().map_or(UNKNOWN, protocol),
            // A server that insists on a client certificate ends a TLS 1.2 handshake after it has proven its own.
            Err(reason) => match seen.proven {
                Some(protocol) => protocol,
                None => return Err(ProbeError::Handshake { endpoint: self.endpoint, reason }),
            },
        };
        if self.protocol.is_some() && self.connection.alpn_protocol() != self.protocol.as_deref() {
            let reason = "it did not choose the application protocol that was asked for".to_owned();
            return Err(ProbeError::Handshake { endpoint: self.endpoint, reason });
        }
        let suite = self.connection.negotiated_cipher_suite().filter(|_| !self.connection.is_handshaking());
        Ok(TlsObservation {
            chain: seen.chain,
            protocol: protocol.to_owned(),
            cipher_suite: suite.and_then(|suite| suite.suite().as_str()).unwrap_or(UNKNOWN).to_owned(),
        })
    }

    /// Sends and receives until the handshake is over.
    async fn exchange(&mut self) -> Result<(), String> {
        let (mut buffer, mut received) = (vec![0; 8 << 10], 0);
        loop {
            self.send().await.map_err(|error| error.to_string())?;
            if !self.connection.is_handshaking() {
                return Ok(());
            }
            self.stream.readable().await.map_err(|error| error.to_string())?;
            let count = match self.stream.try_read(&mut buffer) {
                Ok(0) => return Err("it closed the connection".to_owned()),
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.to_string()),
            };
            received += count;
            if received > LONGEST_HANDSHAKE {
                return Err(format!("it sends more than {LONGEST_HANDSHAKE} octets before the handshake is over"));
            }
            let mut rest = buffer.get(..count).unwrap_or_default();
            while !rest.is_empty() {
                self.connection.read_tls(&mut rest).map_err(|error| error.to_string())?;
                self.connection.process_new_packets().map_err(|error| cause(&error))?;
            }
        }
    }
}

/// Writes what goes out at once.
struct Attempt<'a>(&'a TcpStream);

impl std::io::Write for Attempt<'_> {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.try_write(octets)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Connects to the first checked address that answers.
async fn open(guard: &Guard, request: &TlsProbeRequest) -> Result<TcpStream, ProbeError> {
    let endpoint = || request.endpoint.clone();
    let unreachable = |reason: String| ProbeError::Unreachable { endpoint: endpoint(), reason };
    let connect = async {
        let TlsProbeRequest { endpoint: Endpoint { host, port }, egress, .. } = request;
        let addresses = guard.resolve(host, *port, *egress).await.map_err(|error| match error {
            GuardError::Refused(refused) => {
                ProbeError::Refused { endpoint: endpoint(), address: refused.address.to_string() }
            }
            GuardError::Resolve { .. } => unreachable(error.to_string()),
        })?;
        let mut last = None;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some((address, error)),
            }
        }
        Err(match last {
            Some((_, error)) if error.raw_os_error().is_some_and(|code| OWN_FAULTS.contains(&code)) => {
                ProbeError::Local { endpoint: endpoint(), reason: error.to_string() }
            }
            Some((address, error)) => unreachable(format!("{address}: {error}")),
            None => unreachable("it has no address".to_owned()),
        })
    };
    let late = || unreachable(format!("no connection within {:?}", request.timeout));
    tokio::time::timeout(request.timeout, connect).await.unwrap_or_else(|_| Err(late()))
}

/// `ENFILE`, `EMFILE`, `EADDRNOTAVAIL`, `ENOBUFS` and `ENOMEM`: not the peer's doing. std has no kinds for most of them.
const OWN_FAULTS: [i32; 5] = [23, 24, 99, 105, 12];

/// What a failure of the handshake means to whoever looks for certificates.
fn cause(error: &Error) -> String {
    let meaning = match error {
        Error::InvalidMessage(rustls::InvalidMessage::HandshakePayloadTooLarge) => "its certificates do not end",
        Error::InvalidMessage(_) => "it does not speak TLS",
        Error::PeerIncompatible(_) | Error::AlertReceived(rustls::AlertDescription::ProtocolVersion) => {
            "it speaks no TLS that is asked for, 1.2 or 1.3"
        }
        _ => return error.to_string(),
    };
    format!("{meaning} ({error})")
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
