//! Three servers on one PostgreSQL answer alike for what is revoked, whichever was asked to revoke it: by OCSP at once, by the
//! CRL soon, while all of them are asked without pause and go on issuing. How long it took is printed, not judged.

#![expect(clippy::disallowed_methods, reason = "the test runs programs and looks at clocks")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

#[expect(dead_code, reason = "one server alone is for other tests")]
#[path = "../program/mod.rs"]
mod program;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use certctl_core::domain::{KeyAlgorithm, SubjectNames};
use certctl_core::pki::csr;
use certctl_core::ports::Keys;
use certctl_core::testing::{SeededRng, TestKeys, block_on};
use certctl_storage::testing::TemporaryPostgres;
use libtest_mimic::{Arguments, Trial};
use program::{KEY, Running};
use serde_json::Value;

/// What all wait for at most.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let postgres = if arguments.list { None } else { TemporaryPostgres::start() };
    let absent = postgres.is_none() || Command::new("curl").arg("--version").output().is_err();
    let certificates = if std::env::var_os("CERTCTL_TEST_LONG").is_some() { 60 } else { 6 };
    let trial = Trial::test("what_is_revoked_at_one_server_is_revoked_at_all", move || {
        let told = Fleet::start(&postgres.ok_or("there is no PostgreSQL")?).revoke_each(certificates);
        eprintln!("{told}");
        Ok(())
    });
    libtest_mimic::run(&arguments, vec![trial.with_ignored_flag(absent)]).exit_code()
}

struct Fleet {
    servers: Vec<Running>,
    directory: tempfile::TempDir,
}

impl Fleet {
    fn start(postgres: &TemporaryPostgres) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (url, keys) = (postgres.database("revoked").unwrap(), format!("me:{KEY}:admin"));
        let variables = [
            ("CERTCTL_DATABASE_URL", url.as_str()),
            ("CERTCTL_API_KEYS_NAMED", &keys),
            ("CERTCTL_CONFIG_ENCRYPTION_KEY", "a passphrase that all of them know"),
            // Nobody reads what they say until the end.
            ("CERTCTL_LOG_LEVEL", "error"),
            // One address asks for all.
            ("CERTCTL_RATE_LIMIT_ENABLED", "false"),
        ];
        let start = |number| Running::start(&directory.path().join(format!("server-{number}")), &variables);
        let servers = (0..3).map(start).collect();
        Self { servers, directory }
    }

    fn revoke_each(self, certificates: usize) -> String {
        let serials: Vec<String> = (0..certificates).map(|number| self.issue(&format!("mc-{number}"))).collect();
        for serial in &serials {
            for server in &self.servers {
                assert_eq!(self.status(server, serial), "good", "{serial}");
            }
        }
        let (done, answered, issued) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        let (slowest_ocsp, slowest_crl) = thread::scope(|scope| {
            let load: Vec<Load> = self.servers.iter().map(|server| Load::start(&self, server)).collect();
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    self.issue(&format!("more-{}", issued.fetch_add(1, Ordering::Relaxed)));
                }
            });
            let mut slowest = (Duration::ZERO, Duration::ZERO);
            for (number, serial) in serials.iter().enumerate() {
                let id = format!("mc-{number}");
                self.servers[number % 3].answer(&["certs", "revoke", &id, "--reason", "keyCompromise"]);
                let since = Instant::now();
                for server in &self.servers {
                    until("OCSP says that it is revoked", || self.status(server, serial) == "revoked");
                }
                slowest.0 = slowest.0.max(since.elapsed());
                for server in &self.servers {
                    until("the CRL lists it", || self.crl(server).contains(serial));
                }
                slowest.1 = slowest.1.max(since.elapsed());
            }
            done.store(true, Ordering::Relaxed);
            answered.fetch_add(load.into_iter().map(Load::stop).sum(), Ordering::Relaxed);
            slowest
        });
        for server in self.servers {
            server.terminate();
        }
        format!(
            "{certificates} revoked beside {} OCSP answers and {} issuances: by OCSP at all three after {slowest_ocsp:?} at most, in the CRL of all three after {slowest_crl:?}",
            answered.into_inner(),
            issued.into_inner()
        )
    }

    /// Makes a certificate for a key of ours; gives its serial number in upper case.
    fn issue(&self, id: &str) -> String {
        let server = &self.servers[id.len() % 3];
        let name = format!("{id}.example");
        server.answer(&["certs", "create", "--id", id, "--name", id, "--common-name", &name, "-o", "json"]);
        let seed = id.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(131).wrapping_add(byte.into()));
        let key = block_on(TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(seed))).unwrap();
        let request = block_on(csr::build(&SubjectNames::new(&name, &[]).unwrap(), &*key.signer)).unwrap();
        let file = self.directory.path().join(format!("{id}.csr"));
        std::fs::write(&file, request.to_pem()).unwrap();
        server.answer(&["certs", "csr", id, file.to_str().unwrap()]);
        let versions: Value = serde_json::from_str(&server.answer(&["certs", "versions", id, "-o", "json"])).unwrap();
        versions["data"][0]["serial_number"].as_str().unwrap().to_ascii_uppercase()
    }

    /// `good`, `revoked` or `unknown`, as OpenSSL reads the answer.
    fn status(&self, server: &Running, serial: &str) -> String {
        let answer = self.directory.path().join(format!("answer-{serial}"));
        fetch(server, &format!("ocsp/iss-local/{serial}"), &answer);
        let text = openssl(&["ocsp", "-noverify", "-resp_text", "-respin"], &answer);
        let status = text.lines().find_map(|line| line.trim().strip_prefix("Cert Status: "));
        status.unwrap_or_else(|| panic!("{text}")).to_owned()
    }

    fn crl(&self, server: &Running) -> String {
        let list = self.directory.path().join("list");
        fetch(server, "crl/iss-local", &list);
        openssl(&["crl", "-inform", "DER", "-noout", "-text", "-in"], &list)
    }
}

/// Somebody who asks one server without pause.
struct Load {
    child: Child,
    codes: PathBuf,
}

/// How many questions somebody asks in one go; none comes to the end.
const QUESTIONS: &str = "[100000-999999]";

impl Load {
    fn start(fleet: &Fleet, server: &Running) -> Self {
        let path = format!("{}/.well-known/pki/ocsp/iss-local/{QUESTIONS}", server.url);
        let mut command = Command::new("curl");
        command.args(["--silent", "--output"]).arg(fleet.directory.path().join("nothing"));
        command.args(["--write-out", "%{http_code}\n", "--cacert"]).arg(&server.ca).arg(path);
        let codes = server.ca.with_file_name("codes");
        Self { child: command.stdout(std::fs::File::create(&codes).unwrap()).spawn().unwrap(), codes }
    }

    /// How many answers there were; each of them an answer of OCSP.
    fn stop(mut self) -> usize {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let codes = std::fs::read_to_string(&self.codes).unwrap();
        let codes: Vec<&str> = codes.lines().filter(|code| code.len() == 3).collect();
        assert!(codes.iter().all(|code| *code == "200"), "{codes:?}");
        codes.len()
    }
}

fn fetch(server: &Running, path: &str, file: &Path) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--fail", "--cacert"]).arg(&server.ca).arg("--output").arg(file);
    let output = command.arg(format!("{}/.well-known/pki/{path}", server.url)).output().unwrap();
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
}

fn openssl(arguments: &[&str], file: &Path) -> String {
    let output = Command::new("openssl").args(arguments).arg(file).output().unwrap();
    std::io::stderr().write_all(if output.status.success() { b"" } else { &output.stderr }).unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "not in time: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
