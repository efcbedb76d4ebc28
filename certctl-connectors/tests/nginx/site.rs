//! One nginx of our own: its prefix, its port, its certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use certctl_connectors::host::{EgressPolicy, HostConfig, ports};
use certctl_connectors::registry;
use certctl_core::connector::{Deployment, Target, TargetContext};
use certctl_core::domain::{Fingerprint, TargetId, Timestamp};
use certctl_core::ports::{CommandOutput, CommandSpec, Egress, Endpoint, Files, Ports, TlsProbeRequest, WriteOptions};
use certctl_core::testing::{TestAuthority, TestCertificate};
use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::faulty::{Fault, FaultyFiles};

const NAME: &str = "shop.example";

/// A running nginx with a certificate that somebody put there by hand.
pub(super) struct Site {
    pub(super) old: TestCertificate,
    ports: Ports,
    authority: TestAuthority,
    now: Timestamp,
    port: u16,
    prefix: tempfile::TempDir,
}

/// A failed test with a reason.
pub(super) fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(Failed::from(reason())) }
}

impl Site {
    pub(super) async fn start() -> Result<Self, Failed> {
        let egress = EgressPolicy { allow: vec!["127.0.0.0/8".parse()?], ..EgressPolicy::default() };
        let ports = ports(&HostConfig { egress, ..HostConfig::default() })?;
        let now = ports.clock.now();
        let authority = TestAuthority::new(1, now).await;
        let old = issue(&authority, now).await;
        #[expect(clippy::disallowed_methods, reason = "the system alone knows a free port")]
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let site = Self { old, ports, authority, now, port, prefix: tempfile::tempdir()? };
        site.ports.files.create_dir_all(&site.path("tls"), 0o755).await?;
        site.write("nginx.conf", &site.configuration(), 0o644).await?;
        site.write("tls/site.pem", &site.old.chain.to_pem(), 0o644).await?;
        site.write("tls/site.key", site.old.key_pem.expose(), 0o600).await?;
        let output = site.nginx(&[]).await?;
        ensure(output.succeeded(), || format!("nginx does not start: {}", output.stderr))?;
        Ok(site)
    }

    /// Stops nginx, whatever came of the test.
    pub(super) async fn end(self, result: Result<(), Failed>) -> Result<(), Failed> {
        self.write("nginx.conf", &self.configuration(), 0o644).await?;
        let stopped = self.nginx(&["-s", "stop"]).await;
        result?;
        ensure(stopped?.succeeded(), || "nginx does not stop".to_owned())
    }

    pub(super) async fn issue(&self) -> TestCertificate {
        issue(&self.authority, self.now).await
    }

    pub(super) fn deployment<'a>(&self, certificate: &'a TestCertificate) -> Deployment<'a> {
        Deployment { chain: &certificate.chain, key_pem: &certificate.key_pem, now: self.now }
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Value {
        json!(self.argv(arguments))
    }

    pub(super) fn config(&self) -> Value {
        json!({
            "cert_path": self.path("tls/site.pem"),
            "key_path": self.path("tls/site.key"),
            "validate_command": self.command(&["-t"]),
            "reload_command": self.command(&["-s", "reload"]),
            "host": "127.0.0.1",
            "port": self.port,
            "server_name": NAME,
            "rollback_on_mismatch": true,
        })
    }

    pub(super) fn target(&self, config: Value, fault: Option<Fault>) -> Result<Arc<dyn Target>, Failed> {
        let files = match fault {
            Some(fault) => Arc::new(FaultyFiles::new(Arc::clone(&self.ports.files), fault)),
            None => return self.build(config, Arc::clone(&self.ports.files)),
        };
        self.build(config, files)
    }

    /// A target whose process dies before that change, and whether it has.
    pub(super) fn stopping_target(&self, change: u64) -> Result<(Arc<dyn Target>, impl Fn() -> bool + use<>), Failed> {
        let files = FaultyFiles::new(Arc::clone(&self.ports.files), Fault::Stop { change });
        let stopped = Arc::clone(&files.stopped);
        Ok((self.build(self.config(), Arc::new(files))?, move || stopped.load(Ordering::SeqCst)))
    }

    pub(super) async fn break_configuration(&self) -> Result<(), Failed> {
        self.write("nginx.conf", &(self.configuration() + "no_such_directive on;\n"), 0o644).await
    }

    /// The fingerprint of what a handshake shows.
    pub(super) async fn served(&self) -> Result<String, Failed> {
        let request = TlsProbeRequest {
            endpoint: Endpoint { host: "127.0.0.1".to_owned(), port: self.port },
            server_name: Some(NAME.to_owned()),
            timeout: Duration::from_secs(10),
            egress: Egress::Configured,
        };
        let seen = self.ports.tls.probe(&request).await?;
        let leaf = seen.chain.first().ok_or("no certificate was sent")?;
        Ok(Fingerprint::of(leaf).to_string())
    }

    /// Waits for the workers from before a reload, which may accept a few connections more.
    pub(super) async fn settle_on(&self, certificate: &TestCertificate) -> Result<(), Failed> {
        let expected = certificate.chain.fingerprint().to_string();
        let mut in_a_row = 0;
        for _ in 0..1_000 {
            in_a_row = if self.served().await? == expected { in_a_row + 1 } else { 0 };
            if in_a_row == 20 {
                return Ok(());
            }
        }
        Err(Failed::from(format!("{expected} is not served for good")))
    }

    /// Files and service are those of the old certificate, byte for byte.
    pub(super) async fn is_old(&self) -> Result<(), Failed> {
        self.is_new(&self.old).await
    }

    /// Files and service are those of this certificate, byte for byte.
    pub(super) async fn is_new(&self, certificate: &TestCertificate) -> Result<(), Failed> {
        let read = async |name: &str| self.ports.files.read(&self.path(name), 1 << 20).await;
        let (chain, key) = (read("tls/site.pem").await?, read("tls/site.key").await?);
        ensure(chain == certificate.chain.to_pem().as_bytes(), || "the certificate file differs".to_owned())?;
        ensure(key == certificate.key_pem.expose().as_bytes(), || "the key file differs".to_owned())?;
        self.settle_on(certificate).await
    }

    /// nginx takes certificate and key together, and answers.
    pub(super) async fn is_accepted(&self) -> Result<(), Failed> {
        let output = self.nginx(&["-t"]).await?;
        ensure(output.succeeded(), || output.stderr)?;
        self.served().await.map(drop)
    }

    pub(super) async fn has_no_journal(&self) -> Result<(), Failed> {
        let journal = self.path("tls/.certctl/t-nginx/journal.json");
        let found = self.ports.files.metadata(&journal).await?;
        ensure(found.is_none(), || "a journal is left".to_owned())
    }

    fn build(&self, config: Value, files: Arc<dyn Files>) -> Result<Arc<dyn Target>, Failed> {
        let cx = TargetContext {
            id: TargetId::parse("t-nginx")?,
            ports: Ports { files, ..self.ports.clone() },
            state_dir: self.prefix.path().to_path_buf(),
            allowed_commands: vec![self.argv(&[])],
            allowed_paths: vec![self.path("tls")],
        };
        Ok(registry().find_target("NGINX")?.build(&config, &cx)?)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.prefix.path().join(name)
    }

    fn argv(&self, arguments: &[&str]) -> Vec<String> {
        let prefix = format!("{}/", self.prefix.path().display());
        let fixed = ["nginx", "-p", &prefix, "-e", "error.log", "-c", "nginx.conf"];
        fixed.iter().chain(arguments).map(|&argument| argument.to_owned()).collect()
    }

    async fn nginx(&self, arguments: &[&str]) -> Result<CommandOutput, Failed> {
        Ok(self.ports.commands.run(&CommandSpec::new(self.argv(arguments))).await?)
    }

    async fn write(&self, name: &str, text: &str, mode: u32) -> Result<(), Failed> {
        let options = WriteOptions { mode, ..WriteOptions::default() };
        Ok(self.ports.files.write(&self.path(name), text.as_bytes(), &options).await?)
    }

    fn configuration(&self) -> String {
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary: Vec<_> = temporary.iter().map(|kind| format!("    {kind}_temp_path tmp_{kind};\n")).collect();
        let temporary = temporary.concat();
        let (port, tls) = (self.port, Path::display(&self.path("tls")).to_string());
        format!(
            "pid nginx.pid;\nworker_processes 1;\nevents {{}}\nhttp {{\n    access_log off;\n{temporary}    server {{\n        \
             listen 127.0.0.1:{port} ssl;\n        server_name {NAME};\n        ssl_certificate {tls}/site.pem;\n        \
             ssl_certificate_key {tls}/site.key;\n        return 204;\n    }}\n}}\n"
        )
    }
}

async fn issue(authority: &TestAuthority, now: Timestamp) -> TestCertificate {
    authority.issue(&[NAME], now - Duration::from_secs(60), now + Duration::from_secs(3600)).await
}
