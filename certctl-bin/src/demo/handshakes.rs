//! A client that shakes hands, trusts the demo's CA alone, and counts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use certctl_core::domain::{Chain, Fingerprint};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::failure::Failure;

/// Longest time for connecting and shaking hands.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two handshakes: about 100 a second.
const PAUSE: Duration = Duration::from_millis(10);

/// A client of one endpoint.
#[derive(Clone)]
pub(super) struct Visitor {
    address: SocketAddr,
    name: ServerName<'static>,
    connector: TlsConnector,
}

/// What came of many handshakes.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) made: u64,
    pub(super) failed: u64,
    pub(super) first_failure: Option<String>,
    /// How often each certificate was served.
    pub(super) served: BTreeMap<Fingerprint, u64>,
}

impl Visitor {
    /// A client that trusts the last certificate of a chain.
    pub(super) fn new(address: SocketAddr, name: &str, chain: &Chain) -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        let root = chain.certificates().last().cloned().unwrap_or_default();
        roots.add(CertificateDer::from(root))?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // A resumed session shows no certificate.
        config.resumption = rustls::client::Resumption::disabled();
        let name = ServerName::try_from(name.to_owned())?;
        Ok(Self { address, name, connector: TlsConnector::from(Arc::new(config)) })
    }

    /// Shakes hands once; gives the fingerprint of the certificate that was served, which is valid and trusted.
    pub(super) async fn shake(&self) -> Result<Fingerprint, String> {
        let shaken = async {
            let stream = TcpStream::connect(self.address).await.map_err(|error| format!("cannot connect: {error}"))?;
            let stream = self.connector.connect(self.name.clone(), stream).await;
            let stream = stream.map_err(|error| format!("handshake failed: {error}"))?;
            let (_, connection) = stream.get_ref();
            let leaf = connection.peer_certificates().and_then(<[_]>::first);
            leaf.map(|leaf| Fingerprint::of(leaf)).ok_or_else(|| "no certificate was served".to_owned())
        };
        match tokio::time::timeout(PATIENCE, shaken).await {
            Ok(result) => result,
            Err(_) => Err(format!("no handshake within {} s", PATIENCE.as_secs())),
        }
    }

    /// Shakes hands again and again until told to stop.
    pub(super) async fn keep_shaking(self, mut stop: tokio::sync::oneshot::Receiver<()>) -> Tally {
        let mut tally = Tally::default();
        let mut beat = tokio::time::interval(PAUSE);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => return tally,
                _ = beat.tick() => {}
            }
            tally.made += 1;
            match self.shake().await {
                Ok(served) => *tally.served.entry(served).or_default() += 1,
                Err(failure) => {
                    tally.failed += 1;
                    tally.first_failure.get_or_insert(failure);
                }
            }
        }
    }
}
