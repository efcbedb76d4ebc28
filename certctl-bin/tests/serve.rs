//! `certctl serve` as an operator meets it: what it leaves in its directory, how it ends, and what it refuses.

#![expect(clippy::disallowed_methods, reason = "the test runs the program and looks at its files")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod program;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use program::{KEY, Running, certctl, refusal, serve_command};

fn mode(path: PathBuf) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_server_serves_ends_and_comes_back_with_what_it_had() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = Running::with_key(&data);
    assert!(server.answer(&["status"]).contains("ready"));
    let created = server.answer(&["certs", "create", "--id", "mc-kept", "--common-name", "kept.example", "-o", "json"]);
    assert!(created.contains("\"mc-kept\""), "{created}");
    for secret in ["certctl.db", "sealing.key", "server.key"] {
        assert_eq!(mode(data.join(secret)), 0o600, "{secret}");
    }
    assert_eq!(mode(data.clone()), 0o700);
    let root = std::fs::read(data.join("ca.pem")).unwrap();
    server.terminate();

    let server = Running::with_key(&data);
    assert_eq!(std::fs::read(data.join("ca.pem")).unwrap(), root);
    assert!(server.answer(&["certs", "get", "mc-kept"]).contains("kept.example"));
    assert!(server.answer(&["jobs", "list"]).contains("AwaitingCSR"));
    server.terminate();
}

#[test]
fn a_second_server_on_the_same_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with_key(directory.path());
    let text = refusal(serve_command(directory.path()));
    assert!(text.contains("in use by another certctl process"), "{text}");
    server.terminate();
}

#[test]
fn the_first_administrator_is_made_with_a_token_that_only_the_server_user_can_read() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::start(directory.path(), &[]);
    assert_eq!(mode(directory.path().join("setup-token")), 0o600);
    let token = std::fs::read_to_string(directory.path().join("setup-token")).unwrap();
    assert!(!server.ask(&["certs", "list"]).status.success());
    let said = server.terminate();
    assert!(said.contains(token.trim()), "{said}");

    Running::with_key(directory.path()).terminate();
    assert!(!directory.path().join("setup-token").exists(), "there is an administrator now");
}

#[test]
fn secrets_that_others_can_read_stop_the_start() {
    let directory = tempfile::tempdir().unwrap();
    Running::with_key(directory.path()).terminate();
    for name in ["sealing.key", "server.key"] {
        let path = directory.path().join(name);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let text = refusal(serve_command(directory.path()));
        assert!(text.contains(name) && text.contains("chmod 600"), "{text}");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    }
}

#[test]
fn a_sealing_key_that_is_not_the_stores_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    Running::with_key(directory.path()).terminate();
    let key = directory.path().join("sealing.key");
    std::fs::write(&key, "ab".repeat(32)).unwrap();
    let text = refusal(serve_command(directory.path()));
    assert!(text.contains("was sealed with key"), "{text}");
    std::fs::remove_file(&key).unwrap();
    let text = refusal(serve_command(directory.path()));
    assert!(text.contains("backup"), "{text}");
    assert!(!key.exists(), "a new key would hide that the old one is lost");
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let with = |name: &str, value: &str| {
        let mut command = serve_command(directory.path());
        command.env(name, value);
        refusal(command)
    };
    let text = with("CERTCTL_DATABSE_URL", "sqlite:x");
    assert!(text.contains("CERTCTL_DATABASE_URL"), "{text}");
    let text = with("CERTCTL_DATABASE_URL", "mysql://x/y");
    assert!(text.contains("postgres://"), "{text}");
    let text = with("CERTCTL_API_KEYS_NAMED", "me:short:admin");
    assert!(text.contains("8 characters"), "{text}");
    let text = with("CERTCTL_WEBHOOK_URL", "not a url");
    assert!(text.contains("webhook"), "{text}");
    let mut command = serve_command(directory.path());
    command.env("CERTCTL_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    command.env("CERTCTL_CONFIG_ENCRYPTION_KEY", "a passphrase for a test");
    let text = refusal(command);
    assert!(text.contains("cannot connect"), "{text}");
}

#[test]
fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let directory = tempfile::tempdir().unwrap();
    let with = |url: &str| {
        let mut command = serve_command(directory.path());
        command.env("CERTCTL_DATABASE_URL", url).env("CERTCTL_CONFIG_ENCRYPTION_KEY", "a passphrase for a test");
        refusal(command)
    };
    let unreachable = [
        ("postgres://anna:geheim@127.0.0.1:1/none", "refused"),
        ("postgres://anna:geheim@host.invalid/none", "lookup address"),
    ];
    for (url, reason) in unreachable {
        let text = with(url);
        assert!(text.contains(reason), "{text}");
        assert!(text.contains("cannot connect") && text.contains("anna") && !text.contains("geheim"), "{text}");
        assert!(text.contains("check that the server runs there"), "{text}");
    }
    let missing = directory.path().join("missing/certctl.db");
    let text = with(&format!("sqlite:{}", missing.display()));
    assert!(text.contains(&missing.display().to_string()), "{text}");
    let text = with(&format!("sqlite:{}", directory.path().display()));
    assert!(text.contains(&directory.path().display().to_string()), "{text}");
}

#[test]
fn a_foreign_database_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("certctl.db");
    std::fs::write(&database, "this is somebody's letter, no database at all").unwrap();
    std::fs::write(directory.path().join("sealing.key"), "ab".repeat(32)).unwrap();
    std::fs::set_permissions(directory.path().join("sealing.key"), PermissionsExt::from_mode(0o600)).unwrap();
    let text = refusal(serve_command(directory.path()));
    assert!(text.starts_with("error: "), "{text}");
    assert_eq!(std::fs::read_to_string(&database).unwrap(), "this is somebody's letter, no database at all");
}

#[test]
fn plain_http_is_served_on_loopback_by_request() {
    let directory = tempfile::tempdir().unwrap();
    let variables = [("CERTCTL_INSECURE_HTTP", "true"), ("CERTCTL_AUTH_SECRET", KEY)];
    let server = Running::start(directory.path(), &variables);
    assert!(server.url.starts_with("http://127.0.0.1:"), "{}", server.url);
    assert!(server.answer(&["issuers", "list"]).contains("iss-local"));
    server.terminate();
}

#[test]
fn the_document_is_printed_as_it_is_committed() {
    let printed = |arguments: &[&str]| {
        let output = certctl().arg("openapi").args(arguments).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(printed(&[]).trim_end(), certctl_http::openapi::COMMITTED.trim_end());
    let older: serde_json::Value = serde_json::from_str(&printed(&["--version", "3.0"])).unwrap();
    assert_eq!(older["openapi"], "3.0.3");
    let yaml: serde_json::Value = serde_saphyr::from_str(&printed(&["--format", "yaml"])).unwrap();
    assert_eq!(yaml, serde_json::from_str::<serde_json::Value>(certctl_http::openapi::COMMITTED).unwrap());
}

#[test]
fn the_database_is_migrated_by_hand_and_says_how_it_stands() {
    let directory = tempfile::tempdir().unwrap();
    let migrate = |arguments: &[&str]| {
        let output = certctl().args(["migrate", "--data-dir"]).arg(directory.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(migrate(&["--status"]).contains("empty"));
    assert!(migrate(&[]).contains("tables"));
    assert!(migrate(&["--status"]).contains("up to date"));
    assert!(migrate(&["--down", "1"]).contains("1 migration"));
    assert!(migrate(&["--status"]).contains("append_only"));
    assert!(migrate(&["--down", "1"]).contains("1 migration"));
    assert!(migrate(&["--status"]).contains("empty"));
}
