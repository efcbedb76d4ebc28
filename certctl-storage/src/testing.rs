//! A PostgreSQL server of one's own for tests, stopped and removed when dropped.

#![expect(clippy::disallowed_methods, reason = "a server for tests is a process, files and a port of this machine")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A server in a temporary directory, on a port that was free, reachable from this machine alone.
#[derive(Debug)]
pub struct TemporaryPostgres {
    directory: PathBuf,
    binaries: PathBuf,
    user: Option<&'static str>,
    port: u16,
    options: String,
}

impl TemporaryPostgres {
    /// Starts a server that does not wait for the disk, as tests need no durability. `None` when PostgreSQL is not
    /// installed or does not start.
    pub fn start() -> Option<Self> {
        Self::start_with(&["fsync=off"])
    }

    /// Starts a server with these settings, such as `max_connections=200`.
    pub fn start_with(settings: &[&str]) -> Option<Self> {
        let binaries = binaries()?;
        // PostgreSQL refuses to run as root.
        let user = if is_root() { Some(["postgres", "nobody"].into_iter().find(|name| exists(name))?) } else { None };
        // Not below the caller's own directory for temporary files: the other user must reach it, and the path of a socket is short.
        let directory = output(user, "mktemp", &["-d", "/tmp/certctl-postgres-XXXXXX"])?;
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let mut server =
            Self { directory: PathBuf::from(directory.trim()), binaries, user, port, options: String::new() };
        let data = server.directory.join("data");
        server.run("initdb", &["-D", data.to_str()?, "-U", "postgres", "-A", "trust", "-N", "--locale=C.UTF-8"])?;
        let mut options = format!("-p {port} -k {} -c listen_addresses=127.0.0.1", server.directory.display());
        for setting in ["max_connections=200"].iter().chain(settings) {
            options.push_str(" -c ");
            options.push_str(setting);
        }
        server.options = options;
        let log = server.directory.join("log");
        server.run("pg_ctl", &["start", "-w", "-D", data.to_str()?, "-l", log.to_str()?, "-o", &server.options])?;
        Some(server)
    }

    /// Makes an empty database and answers its URL. `None` when it cannot be made, such as for a name that is taken.
    pub fn database(&self, name: &str) -> Option<String> {
        let port = self.port.to_string();
        self.run("createdb", &["-h", "127.0.0.1", "-p", &port, "-U", "postgres", name])?;
        Some(format!("postgres://postgres@127.0.0.1:{port}/{name}"))
    }

    /// Stops it and starts it again: every connection breaks, and for a moment none can be made. `None` when it does not come
    /// back.
    pub fn restart(&self) -> Option<()> {
        let (data, log) = (self.directory.join("data"), self.directory.join("log"));
        let (data, log) = (data.to_str()?, log.to_str()?);
        self.run("pg_ctl", &["stop", "-w", "-m", "fast", "-D", data])?;
        // The options of the first start.
        self.run("pg_ctl", &["start", "-w", "-D", data, "-l", log, "-o", &self.options])?;
        Some(())
    }

    /// The directory of the server's programs, such as `pgbench`.
    pub fn binaries(&self) -> &Path {
        &self.binaries
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Option<String> {
        output(self.user, self.binaries.join(program).to_str()?, arguments)
    }
}

impl Drop for TemporaryPostgres {
    fn drop(&mut self) {
        let data = self.directory.join("data");
        if let Some(data) = data.to_str() {
            let _ = self.run("pg_ctl", &["stop", "-w", "-m", "immediate", "-D", data]);
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Where the newest installed server is: Debian keeps it off the `PATH`.
fn binaries() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|e| e.path().join("bin"));
    let mut debian: Vec<PathBuf> = debian.collect();
    debian.sort();
    let path = std::env::var_os("PATH")?;
    let on_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    debian
        .into_iter()
        .rev()
        .chain(on_path)
        .find(|directory| ["initdb", "pg_ctl", "createdb"].iter().all(|program| directory.join(program).is_file()))
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

fn exists(user: &str) -> bool {
    std::fs::read_to_string("/etc/passwd").is_ok_and(|users| users.lines().any(|l| l.split(':').next() == Some(user)))
}

fn output(user: Option<&str>, program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = match user {
        None => Command::new(program),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", user, "--regid", group(user), "--clear-groups", "--", program]);
            command
        }
    };
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).current_dir("/tmp");
    if arguments.contains(&"start") {
        // The server inherits the output: reading it would wait for the server to end.
        return command.stdout(Stdio::null()).status().ok()?.success().then(String::new);
    }
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn group(user: &str) -> &str {
    if user == "nobody" { "nogroup" } else { user }
}
