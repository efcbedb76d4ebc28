//! The program, run as an operator runs it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

pub(crate) const KEY: &str = "a-key-for-this-test";

pub(crate) fn certctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_certctl"));
    command.env_clear();
    command
}

pub(crate) fn serve_command(directory: &Path) -> Command {
    let mut command = certctl();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(directory);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A server that listens.
pub(crate) struct Running {
    child: Child,
    pub(crate) url: String,
    pub(crate) ca: PathBuf,
    errors: ChildStderr,
}

impl Running {
    pub(crate) fn start(directory: &Path, variables: &[(&str, &str)]) -> Self {
        Self::of(serve_command(directory), directory, variables)
    }

    /// A server that listens where its last argument says.
    pub(crate) fn of(mut command: Command, directory: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = command.envs(variables.iter().copied()).spawn().unwrap();
        let mut errors = child.stderr.take().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            let mut text = String::new();
            errors.read_to_string(&mut text).unwrap();
            panic!("{text}");
        };
        Self { url: url.to_owned(), ca: directory.join("ca.pem"), child, errors }
    }

    pub(crate) fn with_key(directory: &Path) -> Self {
        Self::start(directory, &[("CERTCTL_API_KEYS_NAMED", &format!("me:{KEY}:admin"))])
    }

    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        let mut command = certctl();
        command.args(arguments).args(["--server", &self.url, "--api-key", KEY]);
        if self.url.starts_with("https") {
            command.arg("--ca").arg(&self.ca);
        }
        command.output().unwrap()
    }

    pub(crate) fn answer(&self, arguments: &[&str]) -> String {
        let output = self.ask(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Sends it a signal, by name.
    pub(crate) fn signal(&self, name: &str) {
        assert!(
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap().success()
        );
    }

    /// Ends it as a service manager does; gives what it said on standard error.
    pub(crate) fn terminate(mut self) -> String {
        self.signal("TERM");
        let mut text = String::new();
        self.errors.read_to_string(&mut text).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {text}");
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that refuses to start; gives what it said.
pub(crate) fn refusal(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "it started");
    String::from_utf8(output.stderr).unwrap()
}
