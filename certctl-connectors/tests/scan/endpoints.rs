//! A crowd on the loopback network: servers that speak TLS, that say nothing, that speak something else, and whose
//! certificates do not end. Shared with the bench of searches.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use certctl_core::domain::{Fingerprint, Timestamp};
use certctl_core::testing::TestAuthority;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, crypto};

/// How many there are of each kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    pub(crate) tls: usize,
    pub(crate) stalled: usize,
    pub(crate) plain: usize,
    pub(crate) endless: usize,
}

/// The crowd at its places.
pub(crate) struct Endpoints {
    /// The port of all.
    pub(crate) port: u16,
    /// What those that speak TLS serve: `address:port` and the fingerprint of the leaf.
    pub(crate) served: BTreeSet<(String, Fingerprint)>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Endpoints {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Copy)]
enum Kind {
    Tls,
    Stalled,
    Plain,
    Endless,
}

impl Endpoints {
    /// Listens on a port that is free on all of these addresses, one for each of the crowd, the kinds mixed.
    pub(crate) async fn open(crowd: Crowd, addresses: &[Ipv4Addr]) -> Result<Self, Failure> {
        let mut kinds = Vec::new();
        for (kind, count) in [
            (Kind::Stalled, crowd.stalled),
            (Kind::Endless, crowd.endless),
            (Kind::Plain, crowd.plain),
            (Kind::Tls, crowd.tls),
        ] {
            kinds.extend(std::iter::repeat_n(kind, count));
        }
        let (port, listeners) = listeners(addresses.get(..kinds.len()).ok_or("too few addresses")?).await?;
        let now = Timestamp::from_unix_seconds(1_900_000_000);
        let authority = TestAuthority::new(1, now).await;
        let (mut served, mut tasks) = (BTreeSet::new(), Vec::new());
        for (number, (kind, (address, listener))) in kinds.into_iter().zip(listeners).enumerate() {
            let acceptor = match kind {
                Kind::Tls => {
                    let name = format!("host-{number}.example");
                    // Long past its end: what is found is not judged.
                    let made =
                        authority.issue(&[&name], now - Duration::from_hours(48), now - Duration::from_hours(24)).await;
                    let chain: Vec<_> =
                        made.chain.certificates().iter().map(|der| CertificateDer::from(der.clone())).collect();
                    served.insert((format!("{address}:{port}"), Fingerprint::of(chain.first().ok_or("no leaf")?)));
                    let key = PrivateKeyDer::from_pem_slice(made.key_pem.expose().as_bytes())?;
                    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
                    let config = ServerConfig::builder_with_provider(provider)
                        .with_safe_default_protocol_versions()?
                        .with_no_client_auth()
                        .with_single_cert(chain, key)?;
                    Some(TlsAcceptor::from(Arc::new(config)))
                }
                _ => None,
            };
            tasks.push(tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move { drop(answer(kind, number, acceptor, stream).await) });
                }
            }));
        }
        Ok(Self { port, served, tasks })
    }
}

/// A listener on each address, all on one port.
async fn listeners(addresses: &[Ipv4Addr]) -> Result<(u16, Vec<(Ipv4Addr, TcpListener)>), Failure> {
    'ports: for _ in 0..20 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?.port();
        let mut listeners = Vec::new();
        for address in addresses {
            match TcpListener::bind((*address, port)).await {
                Ok(listener) => listeners.push((*address, listener)),
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => continue 'ports,
                Err(error) => return Err(format!("cannot listen on {address}:{port}: {error}").into()),
            }
        }
        return Ok((port, listeners));
    }
    Err("no port is free on all addresses".into())
}

async fn answer(
    kind: Kind,
    number: usize,
    acceptor: Option<TlsAcceptor>,
    mut stream: TcpStream,
) -> std::io::Result<()> {
    match (kind, acceptor) {
        (Kind::Tls, Some(acceptor)) => {
            let mut stream = acceptor.accept(stream).await?;
            let _ = stream.read(&mut [0; 16]).await?;
        }
        (Kind::Plain, _) => {
            stream.write_all(b"220 mail.example ESMTP\r\n").await?;
            let _ = stream.read(&mut [0; 512]).await?;
        }
        (Kind::Endless, _) => endless(stream, number.is_multiple_of(2)).await?,
        // Takes the hello, and never a word.
        _ => while stream.read(&mut [0; 512]).await? > 0 {},
    }
    Ok(())
}

/// A ServerHello of TLS 1.2 (RFC 5246 §7.4.1.3), and a Certificate message that never ends: at full speed with a length that
/// nobody believes, or slowly within the greatest that is allowed.
async fn endless(mut stream: TcpStream, is_fast: bool) -> std::io::Result<()> {
    let _ = stream.read(&mut [0; 4096]).await?;
    let mut hello = vec![2, 0, 0, 38, 3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x2b, 0]);
    stream.write_all(&record(&hello)).await?;
    let length: [u8; 3] = if is_fast { [0xff, 0xff, 0xff] } else { [0, 0xff, 0xf0] };
    let mut head = vec![11];
    head.extend(length);
    head.extend([length[0], length[1], length[2].saturating_sub(3)]);
    stream.write_all(&record(&head)).await?;
    loop {
        let piece = if is_fast { vec![0x30; 16 << 10] } else { vec![0x30] };
        stream.write_all(&record(&piece)).await?;
        if !is_fast {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A record of handshake data (RFC 5246 §6.2.1).
fn record(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[22, 3, 3, length[0], length[1]][..], data].concat()
}
