//! Clients of other makers obtain, renew and revoke certificates: certbot, lego, uacme and dehydrated, without proof and with each
//! kind of challenge that they know. A client that is not installed shows as ignored.

#![expect(clippy::disallowed_methods, reason = "the test runs clients, and serves what they publish")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

#[path = "../program/mod.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod program;

mod clients;
mod dns;
mod web;

use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Command;

use clients::{Certbot, Client, Dehydrated, Lego, Uacme};
use dns::Zone;
use libtest_mimic::{Arguments, Failed, Trial};
use program::{KEY, Running};
use serde_json::Value;
use web::Files;

fn main() {
    let arguments = Arguments::from_args();
    let there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let trial = |name: &str, program: &str, run: fn() -> Result<(), Failed>| {
        Trial::test(name, run).with_ignored_flag(!there(program))
    };
    let trials = vec![
        trial("certbot_in_a_trusted_network", "certbot", || life::<Certbot>(Proof::None)),
        trial("certbot_with_http_01", "certbot", || life::<Certbot>(Proof::Http)),
        trial("certbot_with_dns_01", "certbot", || life::<Certbot>(Proof::Dns)),
        trial("lego_in_a_trusted_network", "lego", || life::<Lego>(Proof::None)),
        trial("lego_with_http_01", "lego", || life::<Lego>(Proof::Http)),
        trial("lego_with_dns_01", "lego", || life::<Lego>(Proof::Dns)),
        trial("lego_with_tls_alpn_01", "lego", || life::<Lego>(Proof::Tls)),
        trial("lego_with_a_credential", "lego", with_a_credential),
        trial("uacme_in_a_trusted_network", "uacme", || life::<Uacme>(Proof::None)),
        trial("uacme_with_http_01", "uacme", || life::<Uacme>(Proof::Http)),
        trial("uacme_with_dns_01", "uacme", || life::<Uacme>(Proof::Dns)),
        trial("uacme_with_tls_alpn_01", "ualpn", || life::<Uacme>(Proof::Tls)),
        trial("lego_where_caa_records_decide", "lego", where_caa_records_decide),
        trial("dehydrated_in_a_trusted_network", "dehydrated", || life::<Dehydrated>(Proof::None)),
        trial("dehydrated_with_http_01", "dehydrated", || life::<Dehydrated>(Proof::Http)),
        trial("dehydrated_with_dns_01", "dehydrated", || life::<Dehydrated>(Proof::Dns)),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

/// What is certified: a name that only the zone knows.
pub(crate) const NAME: &str = "shop.example.test";

/// What the server asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    None,
    Http,
    Dns,
    Tls,
}

/// A server, and what surrounds it and a client.
pub(crate) struct World {
    pub(crate) server: Running,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) proof: Proof,
    /// Where challenges are answered.
    pub(crate) port: u16,
    /// What a web server at that port serves, for clients that bring none.
    pub(crate) files: Files,
    pub(crate) zone: Zone,
}

impl World {
    fn new(proof: Proof, extra: &[(&str, &str)], plain: bool) -> Result<Self, Failed> {
        let directory = tempfile::tempdir()?;
        let port = free_port()?;
        let zone = Zone::serve(UdpSocket::bind("127.0.0.1:0")?, directory.path().join("zone"))?;
        let (keys, auth) =
            (format!("me:{KEY}:admin"), if proof == Proof::None { "trust_authenticated" } else { "challenge" });
        let (proves_at, resolver) = (port.to_string(), zone.address.to_string());
        let mut variables = vec![
            ("CERTCTL_API_KEYS_NAMED", keys.as_str()),
            ("CERTCTL_ACME_SERVER_ENABLED", "true"),
            ("CERTCTL_ACME_SERVER_DEFAULT_AUTH_MODE", auth),
            ("CERTCTL_ACME_SERVER_HTTP01_PORT", &proves_at),
            ("CERTCTL_ACME_SERVER_TLSALPN01_PORT", &proves_at),
            ("CERTCTL_ACME_SERVER_DNS01_RESOLVER", &resolver),
            ("CERTCTL_EGRESS_ALLOW", "127.0.0.0/8,::1/128"),
            ("CERTCTL_EGRESS_RESOLVER", &resolver),
            ("CERTCTL_SERVER_NAMES", "localhost,127.0.0.1"),
        ];
        if plain {
            variables.push(("CERTCTL_INSECURE_HTTP", "true"));
        }
        variables.extend_from_slice(extra);
        let server = Running::start(&directory.path().join("data"), &variables);
        let files = Files::new(directory.path().join("web"))?;
        Ok(Self { server, directory, proof, port, files, zone })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn acme(&self) -> String {
        format!("{}/acme/directory", self.server.url)
    }

    fn certificates(&self) -> Result<Vec<Value>, Failed> {
        let list: Value = serde_json::from_str(&self.server.answer(&["certs", "list", "-o", "json"]))?;
        let items = list.get("data").unwrap_or(&list).as_array().cloned();
        items.ok_or_else(|| format!("no list: {list}").into())
    }

    /// The one certificate, which came through this door.
    fn certificate(&self, status: &str, versions: usize) -> Result<Value, Failed> {
        let certificates = self.certificates()?;
        let [certificate] = certificates.as_slice() else { return Err(format!("{certificates:?}").into()) };
        let id = certificate["id"].as_str().unwrap();
        let listed: Value = serde_json::from_str(&self.server.answer(&["certs", "versions", id, "-o", "json"]))?;
        let made = listed.get("data").unwrap_or(&listed).as_array().map_or(0, Vec::len);
        if certificate["status"] != status || certificate["source"] != "ACME" || made != versions {
            return Err(format!("not {status} with {versions} versions: {certificate} {listed}").into());
        }
        Ok(certificate.clone())
    }
}

/// A port that nobody has, for a moment.
fn free_port() -> Result<u16, Failed> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The life of a certificate: obtained, renewed, revoked.
fn life<C: Client>(proof: Proof) -> Result<(), Failed> {
    let world = World::new(proof, &[], C::PLAIN_HTTP)?;
    // A web server for those that only write files.
    let _serving = (proof == Proof::Http && C::NEEDS_WEB_SERVER).then(|| world.files.serve(world.port)).transpose()?;
    let client = C::new(&world)?;
    client.issue()?;
    world.certificate("Active", 1)?;
    client.renew()?;
    world.certificate("Active", 2)?;
    client.revoke()?;
    world.certificate("Revoked", 2)?;
    Ok(())
}

/// Names whose CAA records are for another CA, or for other challenges, are not certified.
fn where_caa_records_decide() -> Result<(), Failed> {
    let world = World::new(Proof::Dns, &[("CERTCTL_ACME_SERVER_CAA_IDENTITIES", "ca.example.test")], false)?;
    let client = Lego::new(&world)?;
    // Those of the name, and those above it when it has none.
    let own = world.zone.directory.join("caa").join(NAME);
    let above = world.zone.directory.join("caa/example.test");
    let refusals = [
        (&own, "0 issue other.example\n0 iodef mailto:ops@example.test\n"),
        (&own, "0 issue ca.example.test; validationmethods=http-01\n"),
        (&above, "0 issue ca.example.test\n128 tbs Unknown\n"),
    ];
    for (file, records) in refusals {
        std::fs::write(file, records)?;
        match client.issue() {
            Err(said) if said.message().is_some_and(|said| said.contains("urn:ietf:params:acme:error:caa")) => {}
            said => return Err(format!("{records}: {said:?}").into()),
        }
        std::fs::remove_file(file)?;
    }
    std::fs::write(above, "128 issue ca.example.test; validationmethods=dns-01\n0 issue other.example\n")?;
    client.issue()?;
    world.certificate("Active", 1)?;
    Ok(())
}

/// An account that needs a credential.
fn with_a_credential() -> Result<(), Failed> {
    let world = World::new(Proof::None, &[("CERTCTL_ACME_SERVER_EAB_REQUIRED", "true")], false)?;
    let client = Lego::new(&world)?;
    if client.issue().is_ok() {
        return Err("an account was made without a credential".into());
    }
    let made = world.server.answer(&["acme-credentials", "create", "--name", "a client", "-o", "json"]);
    let made: Value = serde_json::from_str(&made)?;
    let (kid, key) = (made["id"].as_str().unwrap(), made["hmac_key"].as_str().unwrap());
    client.issue_with(&["--eab", "--kid", kid, "--hmac", key])?;
    world.certificate("Active", 1)?;
    Ok(())
}
