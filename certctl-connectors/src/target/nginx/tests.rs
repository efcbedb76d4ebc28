//! Configuration, local policy, and a deployment through the registry.

#![cfg(feature = "target-nginx")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use certctl_core::connector::{DeployCause, DeployOutcome, Deployment, ProbePoint, Target, TargetContext};
use certctl_core::domain::TargetId;
use certctl_core::ports::Endpoint;
use certctl_core::testing::{FakePorts, ManualClock, TestAuthority, TestCertificate, block_on};
use serde_json::{Value, json};

use crate::registry;

fn complaint(config: &Value) -> String {
    registry().find_target("nginx").unwrap().validate(config).unwrap_err().to_string()
}

fn build(config: &Value, fakes: &FakePorts, allowed: &[&str]) -> Arc<dyn Target> {
    let cx = TargetContext {
        id: TargetId::parse("t-nginx").unwrap(),
        ports: fakes.ports(),
        state_dir: PathBuf::from("/var/lib/certctl"),
        allowed_commands: allowed.iter().map(|text| text.split(' ').map(ToOwned::to_owned).collect()).collect(),
        allowed_paths: Vec::new(),
    };
    registry().find_target("NGINX").unwrap().build(config, &cx).unwrap()
}

fn certificate() -> TestCertificate {
    let now = ManualClock::START;
    block_on(async {
        let authority = TestAuthority::new(7, now).await;
        authority.issue(&["shop.example"], now, now + Duration::from_hours(1)).await
    })
}

fn deployment(certificate: &TestCertificate) -> Deployment<'_> {
    Deployment { chain: &certificate.chain, key_pem: &certificate.key_pem, now: ManualClock::START }
}

#[test]
fn a_minimal_configuration_and_a_full_one_are_fine() {
    let registry = registry();
    let entry = registry.find_target_spec("NGINX").unwrap();
    entry.validate(&json!({ "cert_path": "/etc/nginx/tls/a.pem" })).unwrap();
    let full = json!({
        "cert_path": "/etc/nginx/tls/a.pem", "key_path": "/etc/nginx/tls/a.key", "chain_path": "",
        "validate_command": "nginx -t", "reload_command": ["systemctl", "reload", "nginx"],
        "cert_mode": "0640", "key_mode": "0640", "owner": "root:ssl-cert",
        "host": "::1", "port": 8443, "server_name": "shop.example", "rollback_on_mismatch": true
    });
    entry.validate(&full).unwrap();
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let with = |field: &str, value: Value| {
        let mut config = json!({ "cert_path": "/etc/nginx/tls/a.pem", "key_path": "/etc/nginx/tls/a.key" });
        config[field] = value;
        complaint(&config)
    };
    for (field, value, expected) in [
        ("cert_path", json!("a.pem"), "config/cert_path: "),
        ("key_path", json!("/etc/../a.key"), "config/key_path: "),
        ("chain_path", json!("/etc/nginx/tls/a.pem"), "is named twice"),
        ("reload_command", json!("nginx -s reload; rm -rf /"), "config/reload_command: the command holds ';'"),
        ("validate_command", json!([]), "config/validate_command: the command is empty"),
        ("key_mode", json!("0644"), "config/key_mode: everybody"),
        ("cert_mode", json!("rw"), "config/cert_mode: `rw`"),
        ("owner", json!("root"), "config/owner: `root` is not `user:group`"),
        ("host", json!("https://a"), "config/host: "),
        ("port", json!(0), "config"),
        ("rollback_on_mismatch", json!(true), "needs `host`"),
        ("certificate_path", json!("/x"), "unknown field"),
    ] {
        let found = with(field, value);
        assert!(found.contains(expected), "{field}: {found}");
    }
}

#[test]
fn what_the_host_does_not_allow_is_not_run_and_nothing_is_written() {
    let config = json!({ "cert_path": "/etc/nginx/tls/a.pem", "reload_command": "systemctl restart nginx" });
    let (fakes, certificate) = (FakePorts::seeded(1), certificate());
    let target = build(&config, &fakes, &[]);
    let error = block_on(target.deploy(deployment(&certificate))).unwrap_err();
    assert_eq!((error.cause, error.rolled_back, error.retryable), (DeployCause::LocalPolicy, true, false));
    assert!(error.message.contains("--allow-command \"systemctl restart nginx\""), "{error}");
    assert!(fakes.files.entries().is_empty() && fakes.commands.calls().is_empty());

    fakes.commands.succeed(&["nginx", "-t"]);
    fakes.commands.succeed(&["systemctl", "restart", "nginx"]);
    let target = build(&config, &fakes, &["systemctl restart"]);
    let fingerprint = certificate.chain.fingerprint();
    let outcome = block_on(target.deploy(deployment(&certificate)));
    assert_eq!(outcome, Ok(DeployOutcome::Deployed { fingerprint }));
}

#[test]
fn the_files_hold_what_nginx_wants() {
    let fakes = FakePorts::seeded(1);
    fakes.commands.succeed(&["nginx"]);
    let certificate = certificate();
    let config = json!({
        "cert_path": "/etc/nginx/tls/a.pem", "key_path": "/etc/nginx/tls/a.key", "chain_path": "/etc/nginx/tls/a.chain.pem",
        "host": "192.0.2.1", "server_name": "shop.example"
    });
    fakes.tls.serve("192.0.2.1", 443, certificate.chain.certificates().to_vec());
    let target = build(&config, &fakes, &[]);
    let endpoint = Endpoint { host: "192.0.2.1".to_owned(), port: 443 };
    assert_eq!(target.probe_point(), Some(ProbePoint { endpoint, server_name: Some("shop.example".to_owned()) }));
    block_on(target.deploy(deployment(&certificate))).unwrap();
    let text = |path: &str| String::from_utf8(fakes.files.contents(path).unwrap()).unwrap();
    assert_eq!(text("/etc/nginx/tls/a.pem"), certificate.chain.to_pem());
    assert_eq!(text("/etc/nginx/tls/a.chain.pem"), certificate.chain.issuers_pem());
    assert_eq!(text("/etc/nginx/tls/a.key"), certificate.key_pem.expose());
    let run: Vec<String> = fakes.commands.calls().iter().map(|command| command.argv.join(" ")).collect();
    assert_eq!(run, ["nginx -t", "nginx -s reload"]);
    let fingerprint = certificate.chain.fingerprint();
    assert_eq!(block_on(target.deploy(deployment(&certificate))), Ok(DeployOutcome::Unchanged { fingerprint }));

    // Without a file for the key, both are in one that nobody else may read.
    let target = build(&json!({ "cert_path": "/etc/nginx/tls/both.pem" }), &fakes, &[]);
    block_on(target.deploy(deployment(&certificate))).unwrap();
    assert_eq!(text("/etc/nginx/tls/both.pem"), certificate.chain.to_pem() + certificate.key_pem.expose());
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let (fakes, certificate) = (FakePorts::seeded(1), certificate());
    let config = json!({ "cert_path": "/etc/nginx/tls/a.pem", "host": "192.0.2.1", "server_name": "other.example" });
    let error = block_on(build(&config, &fakes, &[]).deploy(deployment(&certificate))).unwrap_err();
    assert_eq!(error.cause, DeployCause::BadChain);
    assert!(error.message.contains("other.example") && error.message.contains("shop.example"), "{error}");
    assert_eq!(fakes.files.contents("/etc/nginx/tls/a.pem"), None);
}
