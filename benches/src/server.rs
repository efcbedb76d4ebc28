//! `certctl serve` as a process of its own, from the directory that this program is in.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::connection::{Connection, KEY};

pub(crate) struct Server {
    child: Child,
    /// HOST:PORT.
    pub(crate) address: String,
}

pub(crate) fn binary() -> Result<PathBuf, Failure> {
    let binary = std::env::current_exe()?.with_file_name("certctl");
    if binary.is_file() { Ok(binary) } else { Err(format!("build {} first", binary.display()).into()) }
}

impl Server {
    /// Starts it with plain HTTP and waits until it listens. SQLite in the directory unless a database is given.
    pub(crate) fn start(directory: &Path, database: Option<&str>) -> Result<Self, Failure> {
        let mut command = Self::command(directory)?;
        command.env("CERTCTL_INSECURE_HTTP", "true");
        if let Some(url) = database {
            command.env("CERTCTL_DATABASE_URL", url).env("CERTCTL_CONFIG_ENCRYPTION_KEY", "a passphrase to measure by");
        }
        Self::spawn(command)
    }

    /// The same with variables of its own, on SQLite.
    pub(crate) fn start_with(directory: &Path, variables: &[(&str, &str)]) -> Result<Self, Failure> {
        let mut command = Self::command(directory)?;
        command.env("CERTCTL_INSECURE_HTTP", "true").envs(variables.iter().copied());
        Self::spawn(command)
    }

    /// The same with TLS, on SQLite. The root to trust is `ca.pem` in the directory.
    pub(crate) fn start_tls(directory: &Path) -> Result<Self, Failure> {
        Self::spawn(Self::command(directory)?)
    }

    fn command(directory: &Path) -> Result<Command, Failure> {
        let mut command = Command::new(binary()?);
        command.arg("serve").env("CERTCTL_DATA_DIR", directory).env("CERTCTL_LISTEN", "127.0.0.1:0");
        command
            .env("CERTCTL_LOG_LEVEL", "warn")
            .env("CERTCTL_RATE_LIMIT_ENABLED", "false")
            .env("CERTCTL_API_KEYS_NAMED", format!("bench:{KEY}:admin"));
        Ok(command)
    }

    /// Starts a program that says where it listens.
    pub(crate) fn spawn(mut command: Command) -> Result<Self, Failure> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut server = Self { child, address: String::new() };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let url = line.trim().rsplit_once("://").ok_or_else(|| format!("the server did not start: {line}"))?;
        url.1.clone_into(&mut server.address);
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `/ready` answers 200.
    pub(crate) async fn ready(&self) -> Result<(), Failure> {
        Connection::open(&self.address).await?.get("/ready").await?.expect(200).map(drop)
    }

    /// Asks it to end; how long it took.
    pub(crate) fn terminate(mut self) -> Result<Duration, Failure> {
        let begun = Instant::now();
        Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        let status = self.child.wait()?;
        if status.success() { Ok(begun.elapsed()) } else { Err(format!("ended with {status}").into()) }
    }
}

/// At once and without a word, as a power failure would.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
