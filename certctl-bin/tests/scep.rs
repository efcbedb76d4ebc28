//! strongSwan's `pki` as a SCEP client of its own make: it fetches the certificates, enrols and renews against the program. Without
//! `pki` every case shows as ignored.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]
#![expect(clippy::disallowed_methods, reason = "the client and the server are programs")]

#[expect(dead_code, reason = "other tests use the rest")]
mod program;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use program::Running;
use serde_json::Value;

const PASSWORD: &str = "swordfish";

fn main() {
    let absent = !["pki", "openssl"].iter().all(|name| is_there(name));
    let trials = vec![
        Trial::test("strongswan_enrols_and_renews", strongswan_enrols_and_renews).with_ignored_flag(absent),
        Trial::test("strongswan_is_refused", strongswan_is_refused).with_ignored_flag(absent),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(if program == "openssl" { "version" } else { "--help" });
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A server, and a directory for what the client has.
struct World {
    server: Running,
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let variables = [
            ("CERTCTL_API_KEYS_NAMED", &*format!("me:{}:admin", program::KEY)),
            // The client speaks TLS with its own store of roots alone, and SCEP needs none.
            ("CERTCTL_INSECURE_HTTP", "true"),
            ("CERTCTL_SCEP_ENABLED", "true"),
            ("CERTCTL_SCEP_CHALLENGE_PASSWORD", PASSWORD),
        ];
        let server = Running::start(&directory.path().join("server"), &variables);
        let world = Self { server, directory };
        // The certificates of the CA and of the registration authority, each into a file.
        let (ca, ra) = (world.path("ca.pem"), world.path("ra.pem"));
        world.pki(&["--scepca", "--caout", &ca, "--raout", &ra, "--outform", "pem"]).unwrap();
        world
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn path(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }

    /// Runs the client against the server; gives what it wrote.
    fn pki(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        let (verb, rest) = arguments.split_first().unwrap();
        let url = format!("{}/scep", self.server.url);
        run(Command::new("pki").arg(verb).args(["--url", &url]).args(rest))
    }

    /// A new RSA key in a file.
    fn key(&self, name: &str) -> String {
        let path = self.path(name);
        run(Command::new("openssl").args(["genrsa", "-traditional", "-out", &path, "2048"])).unwrap();
        path
    }

    /// Asks for a certificate of these names.
    fn enrol(&self, key: &str, name: &str, more: &[&str]) -> Result<Vec<u8>, String> {
        let (dn, ra, ca) = (format!("C=DE, O=Tests, CN={name}"), self.path("ra.pem"), self.path("ca.pem"));
        let arguments = ["--scep", "--in", key, "--dn", &dn, "--san", name, "--outform", "pem"];
        let authority = ["--cacert-enc", &ra, "--cacert-sig", &ra, "--cacert", &ca];
        self.pki(&[&arguments[..], &authority, more].concat())
    }

    fn verifies(&self, certificate: &Path) {
        let arguments = ["verify", "-x509_strict", "-CAfile", &self.path("ca.pem")];
        run(Command::new("openssl").args(arguments).arg(certificate)).unwrap();
    }

    /// The certificates in the inventory.
    fn inventory(&self) -> Vec<Value> {
        let answer = self.server.answer(&["certs", "list", "-o", "json"]);
        let page: Value = serde_json::from_str(&answer).unwrap();
        page["data"].as_array().or(page.as_array()).unwrap().clone()
    }
}

fn run(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn strongswan_enrols_and_renews() -> Result<(), Failed> {
    let world = World::new();
    let (first_key, first) = (world.key("first.key"), world.file("first.pem"));
    std::fs::write(&first, world.enrol(&first_key, "router.example.com", &["--password", PASSWORD])?)?;
    world.verifies(&first);
    let (second_key, second) = (world.key("second.key"), world.file("second.pem"));
    let old = ["--cert", first.to_str().unwrap(), "--key", &first_key];
    std::fs::write(&second, world.enrol(&second_key, "router.example.com", &old)?)?;
    world.verifies(&second);
    assert_ne!(std::fs::read(&first)?, std::fs::read(&second)?);
    let inventory = world.inventory();
    assert_eq!(inventory.len(), 1, "{inventory:?}");
    assert_eq!((&inventory[0]["source"], &inventory[0]["status"]), (&"SCEP".into(), &"Active".into()));
    let id = inventory[0]["id"].as_str().unwrap();
    let versions: Value = serde_json::from_str(&world.server.answer(&["certs", "versions", id, "-o", "json"]))?;
    let versions = versions["data"].as_array().or(versions.as_array()).unwrap().len();
    assert_eq!(versions, 2);
    Ok(())
}

fn strongswan_is_refused() -> Result<(), Failed> {
    let world = World::new();
    let key = world.key("key");
    for more in [&["--password", "swordfisch"][..], &[]] {
        let refused = world.enrol(&key, "router.example.com", more).unwrap_err();
        assert!(refused.contains("badRequest"), "{refused}");
    }
    assert!(world.inventory().is_empty());
    let certificate = world.file("certificate.pem");
    std::fs::write(&certificate, world.enrol(&key, "router.example.com", &["--password", PASSWORD])?)?;
    let id = world.inventory()[0]["id"].as_str().unwrap().to_owned();
    world.server.answer(&["certs", "revoke", &id, "--reason", "keyCompromise"]);
    let old = ["--cert", certificate.to_str().unwrap(), "--key", &key];
    let refused = world.enrol(&world.key("next"), "router.example.com", &old).unwrap_err();
    assert!(refused.contains("badRequest"), "{refused}");
    Ok(())
}
