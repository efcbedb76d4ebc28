//! Writes sample certificates of every key, profile and kind of authority, revocation lists of every kind, and what OCSP
//! responders below them say, into a directory, for linters to judge.
//!
//! Usage: `cargo run -p certctl-connectors --example sample_certificates -- DIRECTORY COUNT`

#![expect(clippy::unwrap_used, reason = "a sample that cannot be made ends the program")]
#![expect(clippy::disallowed_methods, reason = "a tool of the command line writes files and ends with a status")]

#[path = "../tests/authorities/mod.rs"]
mod authorities;

use std::path::Path;
use std::time::Duration;

use authorities::{Authorities, EVERY_KEY, NOW, Profile, every_reason};
use certctl_core::domain::{RevocationReason, pem};
use certctl_core::pki::certificate::Authority;
use certctl_core::pki::crl::CrlExtent;
use certctl_core::pki::ocsp::{
    CertStatus, IdHash, IssuerHashes, Responder, ResponseData, SingleResponse, Written, archive_cutoff,
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, count] = arguments.as_slice() else {
        eprintln!("usage: sample_certificates DIRECTORY COUNT");
        std::process::exit(2);
    };
    let count: usize = count.parse().unwrap();
    std::fs::create_dir_all(directory).unwrap();
    let write = |name: String, pem: String| std::fs::write(Path::new(directory).join(name), pem).unwrap();
    let every = EVERY_KEY.map(Authorities::new);
    for (authority, key) in every.iter().zip(EVERY_KEY) {
        let kind = key.to_string().replace([' ', '-'], "");
        write(format!("root-{kind}.pem"), authority.root_pem());
        write(format!("issuing-{kind}.pem"), authority.issuing_pem());
        let url = |path: &str| Some(format!("http://ca.example.com/{path}"));
        for (name, extent) in [
            ("complete", CrlExtent { freshest: url("delta.crl"), ..CrlExtent::default() }),
            ("delta", CrlExtent { base: Some(4_711), ..CrlExtent::default() }),
            ("shard", CrlExtent { distribution_point: url("shard/7"), ..CrlExtent::default() }),
            ("empty", CrlExtent::default()),
        ] {
            let entries = if name == "empty" { Vec::new() } else { every_reason() };
            let list = authority.list(4_712, extent, &entries);
            write(format!("list-{name}-{kind}.crl"), pem::encode("X509 CRL", &list));
        }
        let (responder, certificate) = authority.responder();
        write(format!("responder-{kind}.pem"), pem::encode("CERTIFICATE", &certificate));
        for nonce in [None, Some(&[7; 32][..])] {
            let name = format!("ocsp-{kind}-{}.der", if nonce.is_some() { "nonce" } else { "plain" });
            std::fs::write(Path::new(directory).join(name), says(authority, &responder, nonce)).unwrap();
        }
    }
    let kinds = every.iter().flat_map(|authority| EVERY_KEY.iter().map(move |key| (authority, key)));
    let samples = kinds.flat_map(|(authority, key)| Profile::ALL.iter().map(move |profile| (authority, key, profile)));
    for (number, (authority, key, profile)) in samples.cycle().take(count).enumerate() {
        write(format!("leaf-{number:03}-{profile:?}.pem"), authority.issue_pem(*key, *profile));
    }
}

/// A response about certificates of every status.
fn says(authority: &Authorities, responder: &Responder, nonce: Option<&[u8]>) -> Vec<u8> {
    let hashes = IssuerHashes::of(&Authority::from_certificate(&authority.issuing).unwrap()).unwrap();
    let revoked = |reason| CertStatus::Revoked { at: NOW, reason };
    let reasons = RevocationReason::ALL.iter().map(|reason| revoked(*reason));
    let statuses: Vec<CertStatus> = [CertStatus::Good, CertStatus::Unknown].into_iter().chain(reasons).collect();
    let asked = IdHash::ALL.into_iter().flat_map(|hash| statuses.iter().map(move |status| (hash, *status)));
    let asked: Vec<(Vec<u8>, CertStatus)> = asked
        .zip(1_u8..)
        .map(|((hash, status), serial)| (hashes.cert_id(Written { hash, null: serial % 2 == 0 }, &[serial]), status))
        .collect();
    let responses: Vec<SingleResponse<'_>> = asked
        .iter()
        .map(|(cert_id, status)| SingleResponse {
            cert_id,
            status: *status,
            this_update: NOW,
            next_update: NOW + Duration::from_hours(1),
            extensions: if *status == CertStatus::Good { vec![archive_cutoff(NOW)] } else { vec![] },
        })
        .collect();
    let data = ResponseData { produced_at: NOW, responses: &responses, nonce };
    responder.respond(&authority.runtime.block_on(responder.sign(&data)).unwrap())
}
