//! A place where a certificate and its key are served: two files, which somebody filled by hand before.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use certctl_connectors::host::{self, HostConfig};
use certctl_core::domain::{Chain, Fingerprint, KeyId, pem};
use certctl_core::pki;
use certctl_core::ports::Ports;
use certctl_core::testing::{TestAuthority, TestCertificate};
use libtest_mimic::Failed;
use serde_json::{Map, Value, json};

use super::ensure;
use super::site::{self, Site};

pub(crate) struct Place {
    /// The common name.
    pub(crate) name: String,
    pub(crate) certificate: String,
    pub(crate) issuer: Issuer,
    pub(crate) target: String,
    pub(crate) config: Map<String, Value>,
    cert_path: PathBuf,
    key_path: PathBuf,
    /// The link through which both files lead, once the place was taken over.
    current: PathBuf,
    /// What serves it, where that is installed.
    site: Option<Site>,
}

/// Who issues for a place.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
}

/// The file whose presence makes the configuration test of plain places fail.
pub(crate) fn refusal(dir: &Path) -> PathBuf {
    dir.join("refused")
}

impl Place {
    /// A place that a real nginx serves.
    pub(crate) fn with_nginx(program: PathBuf, dir: &Path, by_hand: &TestCertificate) -> Result<Self, Failed> {
        let site = Site::start(program, dir, by_hand)?;
        let tls = site.tls();
        Ok(Self {
            name: site::NAME.into(),
            certificate: "mc-nginx".into(),
            issuer: Issuer { id: "iss-local".into(), kind: "GenericCA" },
            target: site::TARGET.into(),
            config: site.target().as_object().cloned().unwrap_or_default(),
            cert_path: tls.join("site.pem"),
            key_path: tls.join("site.key"),
            current: tls.join(".certctl").join(site::TARGET).join("current"),
            site: Some(site),
        })
    }

    /// A place that nobody reads but the test.
    pub(crate) fn plain(number: usize, issuer: Issuer, dir: &Path, by_hand: &TestCertificate) -> Result<Self, Failed> {
        let refusal = refusal(dir);
        let (target, dir) = (format!("tgt-{number}"), dir.join(format!("place-{number}")));
        let (cert_path, key_path) = (dir.join("fullchain.pem"), dir.join("key.pem"));
        std::fs::create_dir_all(&dir)?;
        std::fs::write(&cert_path, by_hand.chain.to_pem())?;
        std::fs::write(&key_path, by_hand.key_pem.expose())?;
        std::fs::set_permissions(&key_path, Permissions::from_mode(0o600))?;
        let config = json!({
            "cert_path": cert_path, "key_path": key_path,
            "validate_command": ["test", "!", "-e", refusal], "reload_command": ["true"],
        });
        Ok(Self {
            name: format!("place-{number}.example.com"),
            certificate: format!("mc-{number}"),
            issuer,
            config: config.as_object().cloned().unwrap_or_default(),
            current: dir.join(".certctl").join(&target).join("current"),
            target,
            cert_path,
            key_path,
            site: None,
        })
    }

    /// The commands that its deployments run, which the agent's host must allow.
    pub(crate) fn commands(&self) -> Vec<Vec<String>> {
        self.site.as_ref().map(Site::allowed_commands).unwrap_or_default()
    }

    /// What a server that reads the files now would get: a certificate with its own key. A real nginx must take them, and
    /// go on serving.
    pub(crate) async fn look(&self, ports: &Ports) -> Result<Fingerprint, Failed> {
        for _ in 0..100 {
            let before = std::fs::read_link(&self.current).ok();
            let pair = self.pair(ports).await;
            let taken = self.site.as_ref().map_or(Ok(()), Site::takes_files);
            // The two files were not read at one moment; what changed meanwhile is looked at again.
            if before == std::fs::read_link(&self.current).ok() {
                taken.map_err(|error| self.failed("nginx refuses", error.message().unwrap_or_default()))?;
                if let Some(site) = &self.site {
                    let served = site.served(ports).await;
                    served.map_err(|error| self.failed("nginx does not serve", error.message().unwrap_or_default()))?;
                }
                return pair;
            }
        }
        Err(self.failed("changes", "again and again"))
    }

    async fn pair(&self, ports: &Ports) -> Result<Fingerprint, Failed> {
        let chain = Chain::from_pem(&std::fs::read_to_string(&self.cert_path)?)?;
        let facts = pki::certificate::parse(chain.leaf())?;
        let blocks = pem::parse(&std::fs::read_to_string(&self.key_path)?, 64 << 10)?;
        let key = blocks.into_iter().find(|block| block.label == "PRIVATE KEY").ok_or("no private key in the file")?;
        let signer = ports.keys.open(&key.der).await?;
        ensure(KeyId::of(signer.public_key()) == facts.key_id, || {
            format!("{} serves a certificate beside another's key", self.name)
        })?;
        Ok(chain.fingerprint())
    }

    fn failed(&self, what: &str, why: &str) -> Failed {
        format!("{}: {what}: {why}", self.name).into()
    }
}

/// That the look would fail, with and without nginx.
pub(crate) async fn a_mismatch_is_seen() -> Result<(), Failed> {
    let (dir, ports) = (tempfile::tempdir()?, host::ports(&HostConfig::default())?);
    let now = ports.clock.now();
    let authority = TestAuthority::new(1, now).await;
    let (one, other) = (
        authority.issue(&["one.example.com"], now, now + Duration::from_secs(60)).await,
        authority.issue(&["other.example.com"], now, now + Duration::from_secs(60)).await,
    );
    let issuer = Issuer { id: "iss-local".into(), kind: "GenericCA" };
    let mut places = vec![Place::plain(1, issuer, dir.path(), &one)?];
    if let Some(program) = super::nginx() {
        places.push(Place::with_nginx(program, &dir.path().join("nginx"), &one)?);
    }
    for place in places {
        ensure(place.look(&ports).await? == one.chain.fingerprint(), || "another certificate".to_owned())?;
        std::fs::write(&place.key_path, other.key_pem.expose())?;
        let taken = place.site.as_ref().map(Site::takes_files);
        ensure(taken.is_none_or(|taken| taken.is_err()), || "nginx takes any key".to_owned())?;
        ensure(place.pair(&ports).await.is_err(), || "any key belongs to any certificate".to_owned())?;
        ensure(place.look(&ports).await.is_err(), || "nobody looks".to_owned())?;
        let port = place.site.as_ref().map(|site| site.port);
        drop(place);
        if let Some(port) = port {
            is_left(port, &ports).await?;
        }
    }
    Ok(())
}

/// Waits until nobody listens there: an nginx that outlives its test holds what it inherited from it.
async fn is_left(port: u16, ports: &Ports) -> Result<(), Failed> {
    for _ in 0..500 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            return Ok(());
        }
        ports.clock.sleep_until(ports.clock.monotonic() + Duration::from_millis(10)).await;
    }
    Err("nginx is still there after its site is gone".into())
}
