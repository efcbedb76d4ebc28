//! The listener over real sockets: the certificate is swapped without restart, plain HTTP stays at home, the end drains.

#![expect(clippy::disallowed_methods, reason = "a listener is proven on real sockets, with tasks of its own")]
#![expect(clippy::unwrap_used, reason = "a test's helper may fail the test")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use certctl_core::Engine;
use certctl_core::connector::Registry;
use certctl_core::domain::{ExtendedKeyUsage, KeyAlgorithm, Serial, SubjectNames, Timestamp};
use certctl_core::pki::certificate::{Authority, AuthorityRequest, DistinguishedName, LeafRequest, leaf, root};
use certctl_core::ports::Keys;
use certctl_core::testing::{FakePorts, SeededRng, TestKeys, block_on};
use certctl_http::{Limits, ListenError, ServerCertificate, Tls, serve, serve_plain};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

const START: Timestamp = Timestamp::from_unix_seconds(1_600_000_000);
const END: Timestamp = Timestamp::from_unix_seconds(4_000_000_000);

struct Pair {
    root: Vec<u8>,
    leaf: Vec<u8>,
    key: Vec<u8>,
}

impl Pair {
    fn new(seed: u64) -> Self {
        block_on(async {
            let rng = SeededRng::new(seed);
            let ca = TestKeys.generate(KeyAlgorithm::EcdsaP256, &rng).await.unwrap();
            let own = TestKeys.generate(KeyAlgorithm::EcdsaP256, &rng).await.unwrap();
            let request = AuthorityRequest {
                subject: DistinguishedName { country: None, organization: None, common_name: "Test root".into() },
                spki: ca.signer.public_key().to_vec(),
                serial: Serial::random(&rng),
                not_before: START,
                not_after: END,
                path_length: None,
                crl_urls: Vec::new(),
                ocsp_urls: Vec::new(),
                ca_issuer_urls: Vec::new(),
            };
            let root = root(&request).unwrap().sign(&*ca.signer).await.unwrap();
            let request = LeafRequest {
                names: SubjectNames::new("localhost", &[]).unwrap(),
                spki: own.signer.public_key().to_vec(),
                serial: Serial::random(&rng),
                not_before: START,
                not_after: END,
                extended_key_usages: BTreeSet::from([ExtendedKeyUsage::ServerAuth]),
                must_staple: false,
                policies: Vec::new(),
                crl_urls: Vec::new(),
                ocsp_urls: Vec::new(),
                ca_issuer_urls: Vec::new(),
            };
            let authority = Authority::from_certificate(&root).unwrap();
            let leaf = leaf(&request, &authority).unwrap().sign(&*ca.signer).await.unwrap();
            Self { root, leaf, key: own.pkcs8.to_vec() }
        })
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from(self.leaf.clone())]
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }
}

/// A TLS client that trusts one root.
fn connector(root: &[u8], alpn: &[u8]) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(root.to_vec())).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    TlsConnector::from(Arc::new(config))
}

async fn engine(registry: Registry) -> Engine {
    let ports = FakePorts::seeded(1).ports();
    let store = certctl_core::storage::MemoryStorage::new(certctl_core::domain::SCHEMAS, ports.clock.clone());
    let secret = certctl_core::seal::SealingKey::generate(&*ports.rng);
    let secret = certctl_core::engine::SetupSecret::Key(secret);
    Engine::builder(Arc::new(store), ports, secret).connectors(registry).build().await.unwrap()
}

#[tokio::test]
async fn over_tls_clients_are_told_never_to_come_without() {
    let pair = Pair::new(4);
    let certificate = ServerCertificate::new(pair.chain(), pair.key()).unwrap();
    let (listener, address) = loopback().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let router = certctl_http::router(engine(Registry::new()).await, certctl_http::Options::default());
    let server = tokio::spawn(serve(listener, router, Tls::new(certificate), async move { drop(stopped.await) }));
    let (answer, _) = fetch(address, &pair.root).await.unwrap();
    assert!(answer.to_ascii_lowercase().contains("strict-transport-security: max-age=31536000"), "{answer}");
    drop(stop);
    server.await.unwrap().unwrap();
}

/// The answer to `GET /`, with the leaf that was shown.
async fn fetch(address: SocketAddr, root: &[u8]) -> std::io::Result<(String, Vec<u8>)> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector(root, b"http/1.1").connect(name, stream).await?;
    let leaf = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok((answer, leaf))
}

async fn loopback() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn on_signal(signal: oneshot::Receiver<()>) {
    drop(signal.await);
}

#[tokio::test]
async fn the_certificate_is_swapped_without_restart() {
    let (first, second) = (Pair::new(1), Pair::new(2));
    let certificate = ServerCertificate::new(first.chain(), first.key()).unwrap();
    let (listener, address) = loopback().await;
    let (stop, stopped) = oneshot::channel();
    let router = Router::new().route("/", get(|| async { "hello" }));
    let tls = Tls::new(certificate.clone());
    let server = tokio::spawn(serve(listener, router, tls, on_signal(stopped)));

    let (answer, leaf) = fetch(address, &first.root).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
    assert_eq!(leaf, first.leaf);

    certificate.swap(second.chain(), second.key()).unwrap();
    let (_, leaf) = fetch(address, &second.root).await.unwrap();
    assert_eq!(leaf, second.leaf);
    assert!(fetch(address, &first.root).await.is_err(), "the old root does not vouch for the new certificate");

    // A key of another certificate is refused, and what was shown stays.
    assert!(matches!(certificate.swap(first.chain(), second.key()), Err(ListenError::Certificate(_))));
    assert_eq!(fetch(address, &second.root).await.unwrap().1, second.leaf);

    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn http_2_is_negotiated_and_tls_1_2_is_refused() {
    let pair = Pair::new(3);
    let certificate = ServerCertificate::new(pair.chain(), pair.key()).unwrap();
    let (listener, address) = loopback().await;
    let (_stop, stopped) = oneshot::channel();
    tokio::spawn(serve(listener, Router::new(), Tls::new(certificate), on_signal(stopped)));

    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let stream = connector(&pair.root, b"h2").connect(name.clone(), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(stream.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let old = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    assert!(TlsConnector::from(Arc::new(old)).connect(name, stream).await.is_err());
}

#[tokio::test]
async fn plain_http_is_refused_where_others_could_listen() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = serve_plain(listener, Router::new(), Limits::default(), std::future::pending()).await;
    assert!(matches!(refused, Err(ListenError::NotLoopback(_))));
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_end() {
    let (listener, address) = loopback().await;
    let (stop, stopped) = oneshot::channel();
    let (begun, has_begun) = oneshot::channel();
    let (go, went) = oneshot::channel::<()>();
    let once = Arc::new(std::sync::Mutex::new(Some((begun, went))));
    let slow = move || async move {
        let (begun, went) = once.lock().unwrap().take().unwrap();
        begun.send(()).unwrap();
        went.await.unwrap();
        "done"
    };
    let router = Router::new().route("/", get(slow));
    let server = tokio::spawn(serve_plain(listener, router, Limits::default(), on_signal(stopped)));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    has_begun.await.unwrap();
    stop.send(()).unwrap();
    // The listener is closed first, so a refused connection says that draining has begun.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("done"), "{answer}");
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off_when_the_drain_is_over() {
    let (listener, address) = loopback().await;
    let (stop, stopped) = oneshot::channel();
    let (begun, has_begun) = oneshot::channel();
    let begun = Arc::new(std::sync::Mutex::new(Some(begun)));
    let never = move || async move {
        begun.lock().unwrap().take().unwrap().send(()).unwrap();
        std::future::pending::<()>().await;
    };
    let limits = Limits { drain: Duration::from_millis(20), ..Limits::default() };
    let router = Router::new().route("/", get(never));
    let server = tokio::spawn(serve_plain(listener, router, limits, on_signal(stopped)));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    has_begun.await.unwrap();
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "");
}

#[tokio::test]
async fn whoever_asks_for_acme_tls_is_shown_the_challenge_and_others_the_server() {
    use certctl_core::testing::AcmeCa;
    let pair = Pair::new(5);
    let certificate = ServerCertificate::new(pair.chain(), pair.key()).unwrap();
    let fakes = FakePorts::seeded(1);
    let ports = fakes.ports();
    let store = certctl_core::storage::MemoryStorage::new(certctl_core::domain::SCHEMAS, ports.clock.clone());
    let secret = certctl_core::engine::SetupSecret::Key(certctl_core::seal::SealingKey::generate(&*ports.rng));
    let challenges = certctl_core::testing::MemoryChallenges::new();
    let ca = AcmeCa::new(2, &fakes.clock, &challenges, &fakes.names);
    ca.attach(&fakes.http);
    // The answers are published, and the CA is not told of them yet.
    ca.fail("/challenge", certctl_core::testing::AcmeFault::Unreachable);
    ca.fail("/challenge", certctl_core::testing::AcmeFault::Unreachable);
    ca.fail("/challenge", certctl_core::testing::AcmeFault::Unreachable);
    let config = serde_json::json!({
        "directory_url": AcmeCa::DIRECTORY, "email": "ops@example.com", "challenge_type": "tls-alpn-01",
    });
    let issuer = certctl_core::engine::IssuerConfig { id: "iss-acme".parse().unwrap(), kind: "ACME".into(), config };
    let engine = Engine::builder(Arc::new(store), ports, secret)
        .connectors(certctl_connectors::registry())
        .issuer(issuer)
        .build()
        .await
        .unwrap();
    order(&engine, &fakes, "shop.example").await;

    let (listener, address) = loopback().await;
    let (stop, stopped) = oneshot::channel();
    let router = Router::new().route("/", get(|| async { "hello" }));
    let tls = Tls::new(certificate).with_challenges(engine);
    let server = tokio::spawn(serve(listener, router, tls, on_signal(stopped)));
    let (answer, leaf) = fetch(address, &pair.root).await.unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
    assert_eq!(leaf, pair.leaf);

    let shown = challenged(address, "shop.example").await.unwrap();
    let facts = certctl_core::pki::certificate::parse(&shown).unwrap();
    assert_eq!(facts.names.san_texts(), ["shop.example"]);
    // id-pe-acmeIdentifier, critical (RFC 8737 §3).
    let identifier = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1f, 0x01, 0x01, 0xff];
    assert!(shown.windows(identifier.len()).any(|window| window == identifier));
    assert!(challenged(address, "other.example").await.is_err(), "nobody wants it answered");
    drop(stop);
    server.await.unwrap().unwrap();
}

/// Orders a certificate over the engine, as far as that goes.
async fn order(engine: &Engine, fakes: &FakePorts, name: &str) {
    let options = certctl_http::Options { authentication: certctl_http::Authentication::Local, ..Default::default() };
    let router = certctl_http::router(engine.clone(), options);
    let key = TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(11)).await.unwrap();
    let names = SubjectNames::new(name, &[]).unwrap();
    let csr = certctl_core::pki::csr::build(&names, &*key.signer).await.unwrap().to_pem();
    let certificate = serde_json::json!({
        "id": "mc-1", "name": "mc-1", "common_name": name, "owner_id": "o-default", "team_id": "team-default",
        "issuer_id": "iss-acme", "renewal_policy_id": "rp-default",
    });
    for (path, body, status) in [
        ("/api/v1/certificates", certificate, 201),
        ("/api/v1/certificates/mc-1/csr", serde_json::json!({ "csr_pem": csr }), 202),
    ] {
        let request = axum::http::Request::post(path).body(axum::body::Body::from(body.to_string())).unwrap();
        let response = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
    }
    for _ in 0..10 {
        engine.step().await.unwrap();
        fakes.clock.advance(Duration::from_secs(1));
    }
}

/// The certificate that is shown to a CA which comes for a name: it trusts whatever it sees.
async fn challenged(address: SocketAddr, name: &str) -> std::io::Result<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec())
}

#[derive(Debug)]
struct Anybody;

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls_pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        vec![rustls::SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[tokio::test]
async fn a_listener_for_challenges_serves_nothing_else() {
    let (listener, address) = loopback().await;
    let (stop, stopped) = oneshot::channel();
    let router = certctl_http::challenge_router(engine(Registry::new()).await, certctl_http::Options::default());
    let server = tokio::spawn(certctl_http::serve_challenges(listener, router, Limits::default(), on_signal(stopped)));
    for (path, expected) in
        [("/.well-known/acme-challenge/abc", "no such challenge"), ("/api/v1/health", "\"status\":404"), ("/", "404")]
    {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 404") && answer.contains(expected), "{path}: {answer}");
    }
    drop(stop);
    server.await.unwrap();
}
