//! OCSP clients of others against the program: OpenSSL and GnuTLS believe what it says, on both databases and of two servers.

#![expect(clippy::disallowed_methods, reason = "the test runs programs and looks at clocks")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

#[expect(dead_code, reason = "other tests need more of it")]
mod program;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use certctl_storage::testing::TemporaryPostgres;
use libtest_mimic::{Arguments, Failed, Trial};
use program::{KEY, Running};

const PATH: &str = "/.well-known/pki/ocsp/iss-local";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let (openssl, gnutls) = (runs("openssl", "version"), runs("ocsptool", "--version"));
    let postgres = Arc::new(if arguments.list || !openssl { None } else { TemporaryPostgres::start() });
    let shared = Arc::clone(&postgres);
    let trials = vec![
        Trial::test("openssl_believes_what_it_is_told", openssl_believes).with_ignored_flag(!openssl),
        Trial::test("gnutls_believes_what_it_is_told", gnutls_believes).with_ignored_flag(!gnutls || !openssl),
        Trial::test("two_servers_tell_the_same", move || two_servers(shared.as_ref().as_ref()))
            .with_ignored_flag(postgres.is_none() || !openssl),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(postgres);
    conclusion.exit_code()
}

fn runs(program: &str, version: &str) -> bool {
    let status = Command::new(program).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// A server over plain HTTP, as OCSP is asked.
fn serve(directory: &Path, more: &[(&str, &str)]) -> Running {
    let key = format!("me:{KEY}:admin");
    let mut variables = vec![("CERTCTL_API_KEYS_NAMED", key.as_str()), ("CERTCTL_INSECURE_HTTP", "true")];
    variables.extend(more);
    Running::start(directory, &variables)
}

/// Certificates and that of their CA, in files.
struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Has a certificate issued: `NAME.pem`, and its CA as `ca.pem`.
    fn issue(&self, server: &Running, name: &str) {
        let (common_name, csr) = (format!("{name}.example"), self.text("request.pem"));
        server.answer(&["certs", "create", "--id", name, "--common-name", &common_name]);
        let (key, subject) = (self.text("key.pem"), format!("/CN={common_name}"));
        let curve = "ec_paramgen_curve:prime256v1";
        let request = ["req", "-new", "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-keyout", &key, "-out", &csr];
        self.openssl(
            &[&request[..], &["-subj", &subject, "-addext", &format!("subjectAltName=DNS:{common_name}")]].concat(),
        );
        server.answer(&["certs", "csr", name, &csr]);
        let exported = server.answer(&["certs", "export-pem", name, "-o", "json"]);
        let exported: serde_json::Value = serde_json::from_str(&exported).unwrap();
        std::fs::write(self.path(&format!("{name}.pem")), exported["cert_pem"].as_str().unwrap()).unwrap();
        std::fs::write(self.path("ca.pem"), exported["chain_pem"].as_str().unwrap()).unwrap();
    }

    /// What OpenSSL prints and reports; what it refuses fails the test.
    fn openssl(&self, arguments: &[&str]) -> String {
        self.run("openssl", arguments)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program).args(arguments).current_dir(self.directory.path()).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(output.status.success(), "{program} {}: {text}", arguments.join(" "));
        text
    }

    /// Asks about certificates, in one request, as `openssl ocsp` does, and has it verify the answer.
    fn ask(&self, server: &Running, names: &[&str], more: &[&str]) -> String {
        let url = format!("{}{PATH}", server.url);
        let mut arguments = vec!["ocsp", "-url", &url, "-CAfile", "ca.pem", "-issuer", "ca.pem"];
        arguments.extend(more);
        let files: Vec<String> = names.iter().map(|name| format!("{name}.pem")).collect();
        arguments.extend(files.iter().flat_map(|file| ["-cert", file.as_str()]));
        let told = self.openssl(&arguments);
        assert!(told.contains("Response verify OK"), "{told}");
        told
    }
}

fn says(told: &str, name: &str, status: &str) -> Result<(), Failed> {
    let line = format!("{name}.pem: {status}");
    if told.contains(&line) { Ok(()) } else { Err(format!("no `{line}` in {told}").into()) }
}

fn openssl_believes() -> Result<(), Failed> {
    let (data, files) = (tempfile::tempdir()?, Files::new());
    let server = serve(data.path(), &[]);
    for name in ["good", "bad", "held"] {
        files.issue(&server, name);
    }
    for more in [&[][..], &["-no_nonce"], &["-sha256"], &["-sha1", "-no_nonce"], &["-sha384"], &["-sha512"]] {
        says(&files.ask(&server, &["good"], more), "good", "good")?;
    }
    server.answer(&["certs", "revoke", "bad", "--reason", "keyCompromise"]);
    server.answer(&["certs", "revoke", "held", "--reason", "certificateHold"]);
    for more in [&[][..], &["-no_nonce"]] {
        let told = files.ask(&server, &["bad", "good", "held"], more);
        says(&told, "good", "good")?;
        says(&told, "bad", "revoked")?;
        says(&told, "held", "revoked")?;
        assert!(told.contains("Reason: keyCompromise") && told.contains("Reason: certificateHold"), "{told}");
    }
    // One that nobody issued, by its number alone.
    let url = format!("{}{PATH}", server.url);
    let told = files.openssl(&["ocsp", "-url", &url, "-CAfile", "ca.pem", "-issuer", "ca.pem", "-serial", "0x4711"]);
    assert!(told.contains("Response verify OK") && told.contains("0x4711: unknown"), "{told}");
    // The issuer of somebody else.
    files.openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "k",
        "-out",
        "other.pem",
        "-subj",
        "/CN=x",
    ]);
    let asked = ["ocsp", "-url", &url, "-issuer", "other.pem", "-serial", "1", "-noverify"];
    let output = Command::new("openssl").args(asked).current_dir(files.directory.path()).output()?;
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(told.contains("unauthorized"), "{told}");
    // What openssl reads of an answer that came by serial number.
    let serial = files.openssl(&["x509", "-in", "bad.pem", "-noout", "-serial"]);
    let serial = serial.trim().trim_start_matches("serial=").to_owned();
    let answer = files.text("answer.der");
    server.answer(&["ocsp", "check", "iss-local", &serial, "--to", &answer]);
    let told = files.openssl(&[
        "ocsp",
        "-respin",
        "answer.der",
        "-issuer",
        "ca.pem",
        "-cert",
        "bad.pem",
        "-CAfile",
        "ca.pem",
        "-no_nonce",
    ]);
    says(&told, "bad", "revoked")?;
    server.terminate();
    Ok(())
}

fn gnutls_believes() -> Result<(), Failed> {
    let (data, files) = (tempfile::tempdir()?, Files::new());
    let server = serve(data.path(), &[]);
    for name in ["good", "bad"] {
        files.issue(&server, name);
    }
    server.answer(&["certs", "revoke", "bad", "--reason", "superseded"]);
    for (name, status) in [("good", "good"), ("bad", "revoked")] {
        let (file, url) = (format!("{name}.pem"), format!("{}{PATH}", server.url));
        for nonce in ["--nonce", "--no-nonce"] {
            let ask = format!("--ask={url}");
            let arguments = [&ask, nonce, "--load-cert", &file, "--load-issuer", "ca.pem", "--load-trust", "ca.pem"];
            let output = Command::new("ocsptool").args(arguments).current_dir(files.directory.path()).output()?;
            let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(told.contains("Verifying OCSP Response: Success"), "{told}");
            assert!(told.contains(&format!("Certificate Status: {status}")), "{told}");
        }
    }
    server.terminate();
    Ok(())
}

/// What one server revokes the other one tells within a second, though it has said otherwise a moment ago.
fn two_servers(postgres: Option<&TemporaryPostgres>) -> Result<(), Failed> {
    let postgres = postgres.ok_or("there is no PostgreSQL")?;
    let url = postgres.database("ocsp").ok_or("the database cannot be made")?;
    let shared =
        [("CERTCTL_DATABASE_URL", url.as_str()), ("CERTCTL_CONFIG_ENCRYPTION_KEY", "a-passphrase-of-this-test")];
    let (data, files) = (tempfile::tempdir()?, Files::new());
    let servers = [serve(&data.path().join("1"), &shared), serve(&data.path().join("2"), &shared)];
    files.issue(&servers[0], "one");
    for server in &servers {
        says(&files.ask(server, &["one"], &["-no_nonce"]), "one", "good")?;
    }
    servers[0].answer(&["certs", "revoke", "one", "--reason", "keyCompromise"]);
    let revoked = Instant::now();
    says(&files.ask(&servers[0], &["one"], &["-no_nonce"]), "one", "revoked")?;
    loop {
        // From before it is asked: what was answered in time counts.
        let asked = revoked.elapsed();
        let told = files.ask(&servers[1], &["one"], &["-no_nonce"]);
        if told.contains("one.pem: revoked") {
            break;
        }
        assert!(asked < Duration::from_secs(1), "it was good {asked:?} after its revocation");
    }
    for server in servers {
        server.terminate();
    }
    Ok(())
}
