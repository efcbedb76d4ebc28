//! The configuration of the server: no panic, and what is accepted shows no key to the network.
//!
//! A program has no library, so its module is taken as it is.

#![no_main]

#[expect(dead_code, unused_imports, reason = "the program uses the rest")]
#[path = "../../certctl-bin/src/config/mod.rs"]
mod config;

use config::{Authentication, Config, Environment, check_names};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (variables, file) = text.split_once("\n\n").unwrap_or_default();
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables = variables.map(|(name, value)| (format!("CERTCTL_{name}").into(), value.into()));
    let Ok(environment) = Environment::of(variables) else { return };
    let _ = check_names(&environment);
    let Ok(mut config) = Config::parse(file) else { return };
    if config.overlay(&environment).is_err() {
        return;
    }
    if let Ok(valid) = config.validate() {
        let open = valid.insecure_http || valid.authentication == Authentication::Nobody;
        assert!(!open || valid.listen.host.parse().map_or(valid.listen.host == "localhost", is_loopback));
        assert!((1..=1000).contains(&valid.database_connections));
        assert!(!valid.database_url.starts_with("postgres") || valid.encryption_key.is_some());
    }
});

fn is_loopback(address: std::net::IpAddr) -> bool {
    address.is_loopback()
}
