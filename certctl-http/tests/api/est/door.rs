//! A server on a real TLS socket, and clients that speak HTTP over it.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl_core::domain::{Chain, Csr, KeyAlgorithm, SubjectNames};
use certctl_core::pki;
use certctl_core::ports::{GeneratedKey, Keys, Secret};
use certctl_core::testing::{ManualClock, SeededRng, TestAuthority, TestKeys};
use certctl_http::{EstAccess, EstProfile, EstTrust, Options, ServerCertificate, Tls, TrustBundle, serve};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::world::World;

pub(crate) const PASSWORD: &str = "let me in, please";

/// A server without a name, whose machines know the password.
pub(crate) fn by_password() -> EstProfile {
    EstProfile::with_password(Secret::new(PASSWORD))
}

pub(crate) fn named(name: &str, access: EstAccess) -> EstProfile {
    EstProfile { name: Some(name.into()), access, ..by_password() }
}

pub(crate) struct Door {
    pub(crate) world: World,
    address: SocketAddr,
}

/// A key with the certificate that was got for it.
pub(crate) struct Machine {
    pub(crate) key: GeneratedKey,
    pub(crate) chain: Chain,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body of a refusal, which must be a line of text.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("text/plain; charset=utf-8"));
        assert!(self.header("x-request-id").is_some());
        assert_eq!(matches!(status, 202 | 429 | 503), self.header("retry-after").is_some(), "{}", self.head);
        assert_eq!(status == 401, self.header("www-authenticate").is_some());
        let text = self.text();
        assert!(text.len() > 10 && text.ends_with('\n'), "{text}");
        text
    }

    /// The certificates of a bag, as OpenSSL and others read it.
    #[track_caller]
    pub(crate) fn certificates(&self) -> Chain {
        assert_eq!(self.status, 200, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/pkcs7-mime; smime-type=certs-only"));
        assert_eq!(self.header("content-transfer-encoding"), Some("base64"));
        bag(&self.body)
    }
}

/// The certificates of the base64 of a PKCS #7 file: every SEQUENCE of the certificates field.
pub(crate) fn bag(body: &[u8]) -> Chain {
    let text = std::str::from_utf8(body).unwrap();
    let der = STANDARD.decode(text).unwrap();
    let signed = pki::cms::SignedData::parse(&der).unwrap();
    Chain::from_der(signed.certificates().to_vec()).unwrap()
}

impl Door {
    pub(crate) async fn open(profiles: Vec<EstProfile>) -> Self {
        Self::with(Options { est: profiles, ..Options::default() }, |tls| tls).await
    }

    pub(crate) async fn with(options: Options, more: impl FnOnce(Tls) -> Tls) -> Self {
        Self::around(World::with(options).await, more).await
    }

    /// The door of a world that has EST servers.
    pub(crate) async fn around(world: World, more: impl FnOnce(Tls) -> Tls) -> Self {
        let shown = TestAuthority::new(9, ManualClock::START).await;
        let shown = shown.issue(&["localhost"], ManualClock::START, ManualClock::START + DAY).await;
        let chain = shown.chain.certificates().iter().cloned().map(CertificateDer::from).collect();
        let key = pki::private_key::from_pem(shown.key_pem.expose()).unwrap();
        let certificate = ServerCertificate::new(chain, private(&key)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = more(Tls::new(certificate).with_client_certificates());
        let router = world.router.clone();
        #[expect(clippy::disallowed_methods, reason = "a listener is proven on real sockets, with tasks of its own")]
        tokio::spawn(serve(listener, router, tls, std::future::pending()));
        Self { world, address }
    }

    /// Sends one request over a connection of its own. The body may need the value that binds to it.
    pub(crate) async fn send(&self, call: Call<'_>) -> Reply {
        #[expect(clippy::disallowed_methods, reason = "a listener is proven on real sockets")]
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = connector(call.machine, call.tls12).connect(name, stream).await.unwrap();
        let binding = stream.get_ref().1.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None).unwrap();
        let body = match call.body {
            Content::Of(body) => body.to_vec(),
            Content::Bound(make) => make(binding).await,
        };
        let mut head = format!("{} {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n", call.method, call.path);
        if let Some(password) = call.password {
            head += &format!("authorization: Basic {}\r\n", STANDARD.encode(format!("machine:{password}")));
        }
        for (name, value) in call.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server that refuses early may close before it has read all.
        drop(stream.write_all(&body).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            panic!("an answer in pieces: {head}")
        } else {
            answer[end + 4..].to_vec()
        };
        Reply { status, head, body }
    }

    /// `GET` of an operation.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Call { method: "GET", ..Call::post(path, b"") }).await
    }

    /// Enrols by password; the path is behind `/.well-known/est/`.
    pub(crate) async fn enrol(&self, path: &str, csr: &Csr) -> Reply {
        self.send(Call::post(path, csr.to_pem().as_bytes()).password(PASSWORD)).await
    }

    /// A machine that has enrolled.
    pub(crate) async fn machine(&self, seed: u64, names: &[&str]) -> Machine {
        let (key, csr) = request(seed, names).await;
        let chain = self.enrol("/.well-known/est/simpleenroll", &csr).await.certificates();
        Machine { key, chain }
    }
}

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

/// One call.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) password: Option<&'a str>,
    pub(crate) machine: Option<&'a Machine>,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: Content<'a>,
    pub(crate) tls12: bool,
}

/// Makes a body for the connection whose value it is given.
pub(crate) type Bound<'a> = &'a (dyn Fn([u8; 32]) -> std::pin::Pin<Box<dyn Future<Output = Vec<u8>>>> + Sync);

#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    Of(&'a [u8]),
    Bound(Bound<'a>),
}

impl<'a> Call<'a> {
    pub(crate) fn post(path: &'a str, body: &'a [u8]) -> Self {
        const TYPE: &[(&str, &str)] = &[("content-type", "application/pkcs10")];
        let (method, body) = ("POST", Content::Of(body));
        Self { method, path, password: None, machine: None, headers: TYPE, body, tls12: false }
    }
    pub(crate) fn password(self, password: &'a str) -> Self {
        Self { password: Some(password), ..self }
    }
    pub(crate) fn machine(self, machine: &'a Machine) -> Self {
        Self { machine: Some(machine), ..self }
    }
}

/// A request with a key that follows from the seed; the first name is the common name.
pub(crate) async fn request(seed: u64, names: &[&str]) -> (GeneratedKey, Csr) {
    let key = TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(seed)).await.unwrap();
    let csr = signed(&key, names).await;
    (key, csr)
}

pub(crate) async fn signed(key: &GeneratedKey, names: &[&str]) -> Csr {
    let sans: Vec<String> = names.iter().skip(1).map(ToString::to_string).collect();
    pki::csr::build(&SubjectNames::new(names[0], &sans).unwrap(), &*key.signer).await.unwrap()
}

/// A certificate of somebody else's CA.
pub(crate) async fn foreign(seed: u64, names: &[&str]) -> (Machine, EstTrust) {
    let authority = TestAuthority::new(seed, ManualClock::START).await;
    let issued = authority.issue(names, ManualClock::START, ManualClock::START + DAY).await;
    let pkcs8 = pki::private_key::from_pem(issued.key_pem.expose()).unwrap();
    let key = GeneratedKey { signer: TestKeys.open(&pkcs8).await.unwrap(), pkcs8 };
    let root = Chain::from_pem(&authority.root_pem()).unwrap().leaf().to_vec();
    (Machine { key, chain: issued.chain }, EstTrust::Bundle(TrustBundle::of(vec![root])))
}

fn private(pkcs8: &[u8]) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(pkcs8.to_vec()).into()
}

fn connector(machine: Option<&Machine>, tls12: bool) -> TlsConnector {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions: &[_] = if tls12 { &[&rustls::version::TLS12] } else { &[&rustls::version::TLS13] };
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody));
    let config = match machine {
        Some(machine) => {
            let chain = machine.chain.certificates().iter().cloned().map(CertificateDer::from).collect();
            builder.with_client_auth_cert(chain, private(&machine.key.pkcs8)).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    TlsConnector::from(Arc::new(config))
}

/// The world's clock stands in another year than the machine's, so the server's certificate is not looked at.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
