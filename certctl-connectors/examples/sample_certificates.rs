//! Writes sample certificates of every key, profile and kind of authority into a directory, for linters to judge.
//!
//! Usage: `cargo run -p certctl-connectors --example sample_certificates -- DIRECTORY COUNT`

#![expect(clippy::unwrap_used, reason = "a sample that cannot be made ends the program")]
#![expect(clippy::disallowed_methods, reason = "a tool of the command line writes files and ends with a status")]

#[path = "../tests/authorities/mod.rs"]
mod authorities;

use std::path::Path;

use authorities::{Authorities, EVERY_KEY, Profile};

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
    }
    let kinds = every.iter().flat_map(|authority| EVERY_KEY.iter().map(move |key| (authority, key)));
    let samples = kinds.flat_map(|(authority, key)| Profile::ALL.iter().map(move |profile| (authority, key, profile)));
    for (number, (authority, key, profile)) in samples.cycle().take(count).enumerate() {
        write(format!("leaf-{number:03}-{profile:?}.pem"), authority.issue_pem(*key, *profile));
    }
}
