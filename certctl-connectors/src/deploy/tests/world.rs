//! A host with a server on it: files, commands that look at them, and handshakes that show what was loaded.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use certctl_core::connector::{DeployError, DeployOutcome, Deployment, ProbePoint, TargetContext};
use certctl_core::domain::{Chain, TargetId, Timestamp};
use certctl_core::ports::{CommandSpec, Endpoint};
use certctl_core::testing::{
    Entry, FakePorts, ManualClock, MemoryFiles, ScriptedCommands, TestAuthority, TestCertificate, block_on,
};

use crate::deploy::{Defaults, FileDeploy, Layout, LocalPolicy, Observe, OnMismatch, Part, Service, Slot};

pub(super) const CERTIFICATE: &str = "/etc/tls/site.pem";
pub(super) const KEY: &str = "/srv/keys/site.key";
pub(super) const COMBINED: &str = "/etc/tls/both.pem";
pub(super) const NAME: &str = "shop.example";

/// Certificates are slow to make, so one set serves all runs of a test.
pub(super) struct Certificates {
    pub(super) old: TestCertificate,
    pub(super) new: TestCertificate,
    pub(super) newer: Vec<TestCertificate>,
    pub(super) expired: TestCertificate,
}

impl Certificates {
    pub(super) fn make() -> Self {
        let day = Duration::from_hours(24);
        let now = ManualClock::START;
        block_on(async {
            let authority = TestAuthority::new(1, now).await;
            let issue = async |names: &[&str]| authority.issue(names, now, now + day).await;
            let mut newer = Vec::new();
            for _ in 0..4 {
                newer.push(issue(&[NAME]).await);
            }
            Self {
                old: issue(&[NAME]).await,
                new: issue(&[NAME]).await,
                newer,
                expired: authority.issue(&[NAME], now - day, now - Duration::from_secs(1)).await,
            }
        })
    }
}

/// What the files of the server hold: certificate file and key file, or the one file twice.
pub(super) type Pair = (Option<Vec<u8>>, Option<Vec<u8>>);

/// What is there before the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    /// Files that somebody else wrote.
    Plain,
    /// A deployment of our own.
    Deployed,
}

/// One host.
pub(super) struct World {
    pub(super) fakes: FakePorts,
    pub(super) deploy: FileDeploy,
    combined: bool,
    server: Arc<Mutex<Server>>,
}

#[derive(Default)]
struct Server {
    /// DER, leaf first.
    loaded: Vec<Vec<u8>>,
    refuses: Vec<Vec<u8>>,
    is_deaf: bool,
    fails_reload: bool,
}

impl World {
    /// A host whose server reads a certificate file and a key file.
    pub(super) fn new() -> Self {
        Self::with(false, OnMismatch::RollBack)
    }

    /// A host without symbolic links, whose server reads one combined file.
    pub(super) fn without_links() -> Self {
        let world = Self::with(true, OnMismatch::RollBack);
        world.files().forbid_symlinks();
        world
    }

    pub(super) fn with(combined: bool, on_mismatch: OnMismatch) -> Self {
        let fakes = FakePorts::seeded(1);
        let slot =
            |path: &str, part: Part| Slot { path: PathBuf::from(path), part, mode: part.default_mode(), owner: None };
        let slots = if combined {
            vec![slot(COMBINED, Part::Combined)]
        } else {
            vec![slot(CERTIFICATE, Part::FullChain), slot(KEY, Part::Key)]
        };
        let cx = TargetContext {
            id: TargetId::parse("t-site").unwrap(),
            ports: fakes.ports(),
            state_dir: PathBuf::from("/var/lib/certctl"),
            allowed_commands: vec![vec!["server".to_owned()]],
            allowed_paths: vec![PathBuf::from("/srv/keys")],
        };
        let layout = Layout::new(&cx.id, slots).unwrap();
        let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port: 443 };
        let service = Service {
            check: Some(vec!["server".to_owned(), "test".to_owned()]),
            reload: Some(vec!["server".to_owned(), "reload".to_owned()]),
            observe: Some(Observe {
                point: ProbePoint { endpoint, server_name: Some(NAME.to_owned()) },
                timeout: Duration::from_secs(10),
                within: Duration::from_secs(10),
                on_mismatch,
            }),
        };
        let policy = LocalPolicy::new(Defaults { commands: &[], directories: &["/etc/tls"] }, &cx);
        let deploy = FileDeploy::new(cx.ports, layout, service, policy);
        let world = Self { fakes, deploy, combined, server: Arc::default() };
        world.start_server();
        world
    }

    pub(super) fn files(&self) -> &MemoryFiles {
        &self.fakes.files
    }

    /// Brings about what is there before.
    pub(super) fn prepare(&self, before: Before, certificate: &TestCertificate) {
        let (chain, key) = (certificate.chain.to_pem(), certificate.key_pem.expose().to_owned());
        match before {
            Before::Nothing => {
                // The directory of the certificate is there; that of the key is not.
                self.files().insert("/etc/tls/readme", "", 0o644);
                return;
            }
            Before::Plain if self.combined => self.files().insert(COMBINED, chain + &key, 0o640),
            Before::Plain => {
                self.files().insert(CERTIFICATE, chain, 0o444);
                self.files().insert(KEY, key, 0o640);
            }
            Before::Deployed => {
                self.deploy(certificate).unwrap();
            }
        }
        self.server.lock().unwrap().loaded = certificate.chain.certificates().to_vec();
    }

    pub(super) fn deploy(&self, certificate: &TestCertificate) -> Result<DeployOutcome, DeployError> {
        self.deploy_at(certificate, ManualClock::START)
    }

    pub(super) fn deploy_at(
        &self,
        certificate: &TestCertificate,
        now: Timestamp,
    ) -> Result<DeployOutcome, DeployError> {
        let TestCertificate { chain, key_pem } = certificate;
        self.fakes.clock.drive(self.deploy.deploy(&Deployment { chain, key_pem, now }))
    }

    pub(super) fn recover(&self) -> Result<(), DeployError> {
        self.fakes.clock.drive(self.deploy.recover())
    }

    /// What a server would read now.
    pub(super) fn pair(&self) -> Pair {
        let (certificate, key) = if self.combined { (COMBINED, COMBINED) } else { (CERTIFICATE, KEY) };
        (self.files().contents(certificate), self.files().contents(key))
    }

    /// What a server would read if this certificate were in service.
    pub(super) fn pair_of(&self, certificate: &TestCertificate) -> Pair {
        let (chain, key) = (certificate.chain.to_pem(), certificate.key_pem.expose().to_owned());
        let (certificate, key) = if self.combined { (chain.clone() + &key, chain + &key) } else { (chain, key) };
        (Some(certificate.into_bytes()), Some(key.into_bytes()))
    }

    /// The leaf that the server has loaded.
    pub(super) fn loaded(&self) -> Option<Vec<u8>> {
        self.server.lock().unwrap().loaded.first().cloned()
    }

    /// From now on the configuration test fails with this leaf in place.
    pub(super) fn refuse(&self, certificate: &TestCertificate) {
        self.server.lock().unwrap().refuses.push(certificate.chain.leaf().to_vec());
    }

    /// From now on a reload says yes and does nothing.
    pub(super) fn ignore_reloads(&self, is_deaf: bool) {
        self.server.lock().unwrap().is_deaf = is_deaf;
    }

    /// The next reload fails.
    pub(super) fn fail_next_reload(&self) {
        self.server.lock().unwrap().fails_reload = true;
    }

    /// The commands run so far, by their last word.
    pub(super) fn commands(&self) -> Vec<String> {
        self.fakes.commands.calls().into_iter().filter_map(|command| command.argv.last().cloned()).collect()
    }

    pub(super) fn release_names(&self) -> Vec<String> {
        let releases = self.deploy.layout().releases();
        let entries = self.files().entries();
        let names = entries.keys().filter(|path| path.parent() == Some(&releases));
        names.filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned()).collect()
    }

    /// The permission bits at the end of the links.
    pub(super) fn mode_of(&self, path: &str) -> Option<u32> {
        let bytes = self.files().contents(path)?;
        let current = self.deploy.layout().current();
        let entries = self.files().entries();
        let Some(Entry::Link { target }) = entries.get(&current) else { return None };
        let release = self.deploy.layout().root().join(target);
        entries.iter().find_map(|(path, entry)| match entry {
            Entry::File { bytes: found, mode, .. } if path.starts_with(&release) && *found == bytes => Some(*mode),
            _ => None,
        })
    }

    fn start_server(&self) {
        let (files, combined) = (self.files().clone(), self.combined);
        let server = Arc::clone(&self.server);
        let read = move || {
            let text = files.contents(if combined { COMBINED } else { CERTIFICATE })?;
            let key = files.contents(if combined { COMBINED } else { KEY })?;
            let text = String::from_utf8(text).unwrap();
            let certificates = text.split_inclusive("-----END CERTIFICATE-----\n");
            let certificates: String = certificates.filter(|part| part.contains("BEGIN CERTIFICATE")).collect();
            let key = String::from_utf8(key).unwrap();
            key.contains("PRIVATE KEY").then(|| Chain::from_pem(&certificates).unwrap())
        };
        self.fakes.commands.handle(move |command: &CommandSpec| {
            let mut server = server.lock().unwrap();
            let Some(chain) = read() else {
                return Some(Ok(ScriptedCommands::output(1, "", "[emerg] cannot load certificate")));
            };
            match command.argv.last().map(String::as_str) {
                Some("test") if server.refuses.iter().any(|leaf| leaf == chain.leaf()) => {
                    return Some(Ok(ScriptedCommands::output(1, "", "[emerg] key values mismatch")));
                }
                Some("reload") if std::mem::take(&mut server.fails_reload) => {
                    return Some(Ok(ScriptedCommands::output(1, "", "no such process")));
                }
                Some("reload") if !server.is_deaf => server.loaded = chain.certificates().to_vec(),
                _ => {}
            }
            Some(Ok(ScriptedCommands::output(0, "", "")))
        });
        let server = Arc::clone(&self.server);
        self.fakes.tls.handle(move |_| Some(Ok(server.lock().unwrap().loaded.clone())));
    }
}
