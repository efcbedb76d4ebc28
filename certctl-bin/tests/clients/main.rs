//! Clients that generators make of the documents compile, and talk to a server. A generator that cannot be had shows as
//! ignored; so does the one for Rust, which takes minutes to build, unless `CERTCTL_TEST_LONG` is set.

#![expect(clippy::disallowed_methods, reason = "the test runs generators and compilers")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

#[path = "../program/mod.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod program;

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Arguments, Failed, Trial};
use program::{KEY, Running, certctl};

fn main() {
    let arguments = Arguments::from_args();
    let can = |install: fn() -> bool| !arguments.list && install();
    let long = std::env::var_os("CERTCTL_TEST_LONG").is_some();
    let trials = vec![
        Trial::test("typescript", typescript).with_ignored_flag(!can(typescript_is_there)),
        Trial::test("python", python).with_ignored_flag(!can(python_is_there)),
        Trial::test("rust", rust).with_ignored_flag(!long),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

/// A directory that stays from run to run, so that a generator is fetched once.
fn place(name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(name);
    std::fs::create_dir_all(&place).unwrap();
    place
}

fn copy(place: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        std::fs::write(place.join(name), text).unwrap();
    }
}

fn is_done(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Runs it; gives what it said.
fn run(command: &mut Command) -> Result<String, Failed> {
    let output = command.output()?;
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    if output.status.success() { Ok(said) } else { Err(format!("{command:?}: {}\n{said}", output.status).into()) }
}

/// Runs a client against a server.
fn works(client: &mut Command) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let server = Running::with_key(directory.path());
    client.env("CERTCTL_SERVER_URL", &server.url).env("CERTCTL_API_KEY", KEY);
    client.env("CERTCTL_SERVER_CA_BUNDLE_PATH", &server.ca).env("NODE_EXTRA_CA_CERTS", &server.ca);
    let said = run(client)?;
    if said.contains("the client works") { Ok(()) } else { Err(said.into()) }
}

fn typescript_is_there() -> bool {
    let place = place("typescript");
    copy(&place, &[("package.json", include_str!("typescript/package.json"))]);
    let install = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"];
    is_done(Command::new("npm").args(install).current_dir(&place))
}

fn typescript() -> Result<(), Failed> {
    let place = place("typescript");
    copy(
        &place,
        &[
            ("openapi.json", certctl_http::openapi::COMMITTED),
            ("smoke.ts", include_str!("typescript/smoke.ts")),
            ("tsconfig.json", include_str!("typescript/tsconfig.json")),
        ],
    );
    let tool = |name: &str| {
        let mut command = Command::new(place.join("node_modules/.bin").join(name));
        command.current_dir(&place);
        command
    };
    run(tool("openapi-typescript").args(["openapi.json", "-o", "api.ts"]))?;
    run(&mut tool("tsc"))?;
    works(Command::new("node").arg("out/smoke.js").current_dir(&place))
}

fn python_is_there() -> bool {
    let place = place("python");
    copy(&place, &[("requirements.txt", include_str!("python/requirements.txt"))]);
    let is_made = place.join("venv/bin/pip").exists()
        || is_done(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(&place));
    let install = ["install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"];
    is_made && is_done(Command::new(place.join("venv/bin/pip")).args(install).current_dir(&place))
}

fn python() -> Result<(), Failed> {
    let place = place("python");
    copy(
        &place,
        &[
            ("openapi.json", certctl_http::openapi::COMMITTED),
            ("smoke.py", include_str!("python/smoke.py")),
            ("config.yaml", include_str!("python/config.yaml")),
        ],
    );
    let generate = ["generate", "--path", "openapi.json", "--config", "config.yaml", "--meta", "none"];
    let mut generator = Command::new(place.join("venv/bin/openapi-python-client"));
    generator.args(generate).args(["--output-path", "generated", "--overwrite", "--fail-on-warning"]);
    run(generator.current_dir(&place))?;
    let python = place.join("venv/bin/python");
    run(Command::new(&python).args(["-m", "compileall", "-q", "generated"]).current_dir(&place))?;
    works(Command::new(&python).arg("smoke.py").current_dir(&place))
}

fn rust() -> Result<(), Failed> {
    let place = place("rust");
    std::fs::create_dir_all(place.join("src"))?;
    let document = run(certctl().args(["openapi", "--version", "3.0", "--one-answer"]))?;
    copy(
        &place,
        &[
            ("Cargo.toml", include_str!("rust/manifest.toml")),
            ("src/main.rs", include_str!("rust/smoke.rs")),
            ("src/openapi.json", &document),
        ],
    );
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--target-dir", "target"]).current_dir(&place);
    run(&mut cargo)?;
    works(&mut Command::new(place.join("target/debug/smoke")))
}
