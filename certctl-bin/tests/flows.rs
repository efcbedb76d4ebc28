//! The flows that users of the predecessor script with curl, each a shell script of its own against a server of its own.

#![expect(clippy::disallowed_methods, reason = "the test runs programs")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

#[expect(dead_code, reason = "the flows ask with curl, not with the command line")]
mod program;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use program::{KEY, Running};

fn main() -> ExitCode {
    let missing = ["bash", "curl", "jq", "openssl"].into_iter().find(|&program| !runs(program));
    if let Some(program) = missing {
        eprintln!("{program} is missing: the flows are ignored");
    }
    let trials = scripts().into_iter().map(|script| {
        let name = script.file_stem().unwrap().to_string_lossy().into_owned();
        Trial::test(name, move || run(&script)).with_ignored_flag(missing.is_some())
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/flows");
    let mut found: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|ending| ending == "sh") && !path.ends_with("lib.sh"));
    found.sort();
    assert!(!found.is_empty(), "there are no flows");
    found
}

fn run(script: &Path) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let key = format!("me:{KEY}:admin");
    let plain = [("CERTCTL_API_KEYS_NAMED", key.as_str()), ("CERTCTL_INSECURE_HTTP", "true")];
    let server = Running::start(directory.path(), &plain);
    let output =
        Command::new("bash").arg(script).env("CERTCTL_SERVER_URL", &server.url).env("CERTCTL_API_KEY", KEY).output()?;
    server.terminate();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned().into()) }
}

fn runs(program: &str) -> bool {
    let version = if program == "openssl" { "version" } else { "--version" };
    let status = Command::new(program).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
