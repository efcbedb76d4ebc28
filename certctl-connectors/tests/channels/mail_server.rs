//! A mail server that somebody else wrote, with a certificate of a test's own authority.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use certctl_connectors::host::SystemClock;
use certctl_core::ports::Clock;
use certctl_core::testing::TestAuthority;
use serde_json::Value;
use tempfile::TempDir;

/// A directory that stays from run to run, so that the server is fetched once.
fn place() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("channels");
    std::fs::create_dir_all(&place).unwrap();
    place
}

/// Whether the server can be run here; it is fetched if need be.
pub(super) fn is_there() -> bool {
    let is_done = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let place = place();
    let pip = place.join("venv/bin/pip");
    let is_made = pip.exists() || is_done(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(&place));
    let install = ["install", "--quiet", "--disable-pip-version-check", "aiosmtpd==1.4.6"];
    is_made && is_done(Command::new(pip).args(install))
}

/// How the server is spoken to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mode {
    Starttls,
    Implicit,
    /// Without TLS.
    Plain,
}

/// The root of an authority of the same name that issued nothing.
pub(super) fn foreign_root() -> String {
    super::run(TestAuthority::new(2, SystemClock::new().now())).root_pem()
}

/// A server that runs until it is dropped.
pub(super) struct MailServer {
    pub(super) port: u16,
    /// What its certificate leads to.
    pub(super) root_pem: String,
    process: Child,
    directory: TempDir,
}

impl MailServer {
    pub(super) fn start(mode: Mode) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let now = SystemClock::new().now();
        let (authority, certificate) = super::run(async {
            let authority = TestAuthority::new(1, now).await;
            let (from, to) = (now - Duration::from_mins(1), now + Duration::from_hours(1));
            let certificate = authority.issue(&["localhost", "127.0.0.1"], from, to).await;
            (authority, certificate)
        });
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let chain = file("chain.pem", &certificate.chain.to_pem());
        let key = file("key.pem", certificate.key_pem.expose());
        let script = file("smtp_server.py", include_str!("smtp_server.py"));
        let mode = match mode {
            Mode::Starttls => "starttls",
            Mode::Implicit => "implicit",
            Mode::Plain => "plain",
        };
        let mut command = Command::new(place().join("venv/bin/python"));
        command.arg(script).arg(mode).args([chain, key]).arg(directory.path().join("log"));
        // It complains of each handshake that was broken off.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut said).unwrap();
        Self { port: said.trim().parse().unwrap(), root_pem: authority.root_pem(), process, directory }
    }

    /// What it took so far.
    pub(super) fn taken(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
