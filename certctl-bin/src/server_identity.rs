//! The server's own certificate: a key in the data directory, certified by the control plane's own authority, renewed at
//! two thirds of its life and swapped without a restart.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use certctl_core::domain::{Chain, Csr, KeyAlgorithm, SubjectAltName, SubjectNames, Timestamp, pem};
use certctl_core::engine::Engine;
use certctl_core::pki;
use certctl_core::ports::Signer;
use certctl_core::storage::View;
use certctl_http::ServerCertificate;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::data_dir::DataDir;
use crate::failure::Failure;

const KEY_FILE: &str = "server.key";
const LABEL: &str = "PRIVATE KEY";
/// After a renewal that failed.
const PAUSE: Duration = Duration::from_secs(60);

/// The server's key, and what it needs to be certified.
pub(crate) struct ServerIdentity {
    engine: Engine,
    pkcs8: Zeroizing<Vec<u8>>,
    csr: Csr,
    /// Shown too, so that an agent with a token finds the root that the token names.
    root: CertificateDer<'static>,
}

impl ServerIdentity {
    /// Opens the key, or makes it at the first start.
    pub(crate) async fn open(engine: Engine, dir: &DataDir, names: SubjectNames) -> Result<Self, Failure> {
        let (signer, pkcs8) = if let Some(text) = dir.read_secret(KEY_FILE).await? {
            stored(&engine, dir, &text).await?
        } else {
            let ports = engine.ports();
            let made = ports.keys.generate(KeyAlgorithm::EcdsaP256, &*ports.rng).await?;
            let text = Zeroizing::new(pem::encode(LABEL, &made.pkcs8));
            dir.write_secret(KEY_FILE, text.as_bytes()).await?;
            (made.signer, made.pkcs8)
        };
        let csr = pki::csr::build(&names, &*signer).await?;
        let trust = Chain::from_pem(&engine.agent_trust().await?.root_pem)?;
        let root = CertificateDer::from(trust.leaf().to_vec());
        Ok(Self { engine, pkcs8, csr, root })
    }

    /// A certificate for a listener, and when it must be renewed.
    pub(crate) async fn certify(&self) -> Result<(ServerCertificate, Timestamp), Failure> {
        let certified = self.engine.certify_server(&self.csr).await?;
        let (chain, key) = (self.chain(&certified.chain), self.key());
        Ok((ServerCertificate::new(chain, key)?, certified.renew_at))
    }

    /// Renews for as long as it is polled.
    pub(crate) async fn keep_renewed(&self, certificate: &ServerCertificate, mut renew_at: Timestamp) {
        let clock = &self.engine.ports().clock;
        loop {
            let pause = match self.engine.storage().read(View::Latest).await {
                Ok(view) => renew_at.since(view.now()),
                Err(_) => PAUSE,
            };
            clock.sleep_until(clock.monotonic() + pause.max(Duration::from_secs(1))).await;
            match self.renew(certificate).await {
                Ok(next) => renew_at = next,
                Err(failure) => {
                    tracing::warn!(?failure, "the server's certificate was not renewed; trying again in a minute");
                    clock.sleep_until(clock.monotonic() + PAUSE).await;
                }
            }
        }
    }

    async fn renew(&self, certificate: &ServerCertificate) -> Result<Timestamp, Failure> {
        let certified = self.engine.certify_server(&self.csr).await?;
        certificate.swap(self.chain(&certified.chain), self.key())?;
        tracing::info!(fingerprint = %certified.chain.fingerprint(), "the server's certificate was renewed");
        Ok(certified.renew_at)
    }

    fn chain(&self, certified: &Chain) -> Vec<CertificateDer<'static>> {
        let certified = certified.certificates().iter().map(|der| CertificateDer::from(der.clone()));
        certified.chain([self.root.clone()]).collect()
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.pkcs8.to_vec()))
    }
}

async fn stored(engine: &Engine, dir: &DataDir, text: &[u8]) -> Result<(Arc<dyn Signer>, Zeroizing<Vec<u8>>), Failure> {
    let unusable = |why: String| {
        let path = dir.path(KEY_FILE);
        Failure::new(format!("{} is no usable key: {why}; remove it, and the server makes a new one", path.display()))
    };
    let text = Zeroizing::new(String::from_utf8_lossy(text).into_owned());
    let blocks = pem::parse(&text, 64 << 10).map_err(|error| unusable(error.to_string()))?;
    let block = blocks.into_iter().find(|block| block.label == LABEL);
    let pkcs8 = Zeroizing::new(block.ok_or_else(|| unusable(format!("no PEM block {LABEL}")))?.der);
    let signer = engine.ports().keys.open(&pkcs8).await.map_err(|error| unusable(error.to_string()))?;
    Ok((signer, pkcs8))
}

/// The names in the server's certificate: those of the configuration, or this host's usual ones and the one it listens on.
pub(crate) fn names(configured: Option<&[String]>, listen_host: &str) -> Result<SubjectNames, Failure> {
    let wrong = |name: &str, error: &dyn std::fmt::Display| {
        Failure::new(format!("server_names: `{name}` cannot be a name of the server: {error}"))
    };
    let Some(configured) = configured else { return Ok(usual_names(listen_host)) };
    let mut sans = BTreeSet::new();
    for name in configured {
        sans.insert(SubjectAltName::parse(name).map_err(|error| wrong(name, &error))?);
    }
    SubjectNames::from_parsed("", sans).map_err(|error| wrong("", &error))
}

fn usual_names(listen_host: &str) -> SubjectNames {
    let unspecified = listen_host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified());
    let host = host_name();
    let candidates = [
        Some("localhost"),
        Some("127.0.0.1"),
        Some("::1"),
        host.as_deref(),
        Some(listen_host).filter(|_| !unspecified),
    ];
    // A host name that is no DNS name is left out: it is a guess, not somebody's wish.
    let sans = candidates.into_iter().flatten().filter_map(|name| SubjectAltName::parse(name).ok()).collect();
    SubjectNames { common_name: None, sans }
}

/// The name of this host, as the kernel knows it.
pub(crate) fn host_name() -> Option<String> {
    let name =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    name.ok().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}
