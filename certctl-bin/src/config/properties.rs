//! Whatever stands in the file and the variables: no panic, and what is accepted shows no key to the network.

use std::ffi::OsString;
use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::settings;
use super::{Authentication, Config, Environment, ValidConfig, check_names};

const FILE: &str = r#"
listen = "0.0.0.0:8443"
server_names = ["certctl.example"]
agent_auth = "shared"
api_keys_named = "anna:a-long-key:admin, agent-7:another-key:agent"
insecure_http = false
log_level = "info,certctl_core=debug"
[database]
url = "sqlite:/var/lib/certctl/other.db"
max_connections = 4
[egress]
allow = ["127.0.0.0/8", "::1"]
[[notifier]]
name = "hook"
kind = "Webhook"
config = { url = "https://hooks.example/x" }
[[route]]
events = ["RenewalFailure"]
notifiers = ["hook"]
"#;

/// Values that some setting has a meaning for, and others.
fn value() -> impl Strategy<Value = String> {
    let known = select(vec![
        "127.0.0.1:0",
        "[::1]:2",
        "0.0.0.0:80",
        "true",
        "no",
        "none",
        "api-key",
        "own",
        "shared",
        "json",
        "text",
        "1",
        "1000",
        "0",
        "a:b:admin",
        "a:b,a:c",
        "a:b:c:d",
        "10.0.0.0/8",
        "::1",
        "postgres://h/d",
        "sqlite:x",
        "info,a=b",
        "0123456789abcdef",
        "https://hooks.example",
    ]);
    prop_oneof![3 => known.prop_map(str::to_owned), 1 => "\\PC{0,40}", 1 => any::<String>()]
}

fn variables() -> impl Strategy<Value = Vec<(String, String)>> {
    let names: Vec<&'static str> = settings::all().map(|setting| setting.variable).collect();
    let name = prop_oneof![8 => select(names).prop_map(str::to_owned), 1 => "[A-Z_]{0,20}", 1 => any::<String>()];
    vec((name, value()), 0..6)
}

/// The sample with some pieces taken out, doubled or replaced.
fn file() -> impl Strategy<Value = String> {
    let pieces: Vec<&'static str> = FILE.split_inclusive(['\n', '"', '=', '[', ']', ',', ':']).collect();
    let changes = vec((any::<prop::sample::Index>(), 0_u8..3, value()), 0..4);
    changes.prop_map(move |changes| {
        let mut text: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        for (index, change, value) in changes {
            let at = index.index(text.len());
            match change {
                0 => text[at] = String::new(),
                1 => text[at] = text[at].repeat(2),
                _ => text[at] = value,
            }
        }
        text.concat()
    })
}

fn read(file: &str, variables: &[(String, String)]) -> Result<ValidConfig, String> {
    let variables = variables.iter().map(|(name, value)| (OsString::from(format!("CERTCTL_{name}")), value.into()));
    let environment = Environment::of(variables).map_err(|error| error.to_string())?;
    let _ = check_names(&environment);
    let mut config = Config::parse(file)?;
    config.overlay(&environment).map_err(|error| error.to_string())?;
    config.validate().map_err(|error| error.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_what_is_accepted_is_safe(file in file(), variables in variables()) {
        match read(&file, &variables) {
            Ok(valid) => {
                let open = valid.insecure_http || valid.authentication == Authentication::Nobody;
                let host = &valid.listen.host;
                let loopback = host.parse::<IpAddr>().map_or(host == "localhost", |address| address.is_loopback());
                prop_assert!(!open || loopback, "{valid:?}");
                prop_assert!((1..=1000).contains(&valid.database_connections));
                prop_assert!(!valid.database_url.starts_with("postgres") || valid.encryption_key.is_some());
            }
            Err(error) => prop_assert!(!error.trim().is_empty()),
        }
    }

    #[test]
    fn any_text_is_a_file_or_an_error(text in any::<String>()) {
        let _ = read(&text, &[]);
    }
}

#[test]
fn the_sample_is_accepted_as_it_is() {
    assert_eq!(read(FILE, &[]).unwrap().keys.len(), 2);
}
