//! The command line as people and scripts meet it: every noun, every form of output, every exit code, with a server and
//! without.

#![expect(clippy::disallowed_methods, reason = "the test runs the program and looks at its files")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod program;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use certctl_core::testing::{ManualClock, TestAuthority, block_on};
use program::{KEY, Running, certctl, refusal};
use serde_json::{Value, json};

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn code(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn json_of(output: &str) -> Value {
    serde_json::from_str(output).unwrap_or_else(|error| panic!("{error}: {output}"))
}

/// Runs it without a server, over a store.
fn store(place: &Path, arguments: &[&str]) -> Output {
    certctl().args(arguments).arg("--store").arg(place).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn what_is_made_from_the_document_works_like_what_is_made_by_hand() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with_key(directory.path());
    let made = server.answer(&["teams", "create", "--id", "team-a", "--name", "Team A", "-o", "json"]);
    assert_eq!(json_of(&made)["name"], "Team A");
    let table = server.answer(&["teams", "list"]);
    assert!(table.starts_with("ID") && table.contains("team-a") && table.contains("Team A"), "{table}");
    let names = server.answer(&["teams", "list", "-o", "name", "--per-page", "100"]);
    assert!(names.lines().any(|line| line == "team-a"), "{names}");
    assert_eq!(server.answer(&["teams", "get", "team-a", "--format", "name"]).trim(), "team-a");
    let yaml: Value = serde_saphyr::from_str(&server.answer(&["teams", "get", "team-a", "-o", "yaml"])).unwrap();
    assert_eq!(yaml["name"], "Team A");

    let owner = directory.path().join("owner.json");
    std::fs::write(&owner, json!({ "id": "o-a", "name": "from a file", "email": "a@example.com" }).to_string())
        .unwrap();
    let data = format!("@{}", owner.display());
    let made =
        server.answer(&["owners", "create", "--data", &data, "--name", "O", "--team-id", "team-a", "-o", "json"]);
    let made = json_of(&made);
    assert_eq!((&made["name"], &made["id"], &made["team_id"]), (&json!("O"), &json!("o-a"), &json!("team-a")));

    let create = ["certs", "create", "--id", "mc-a", "--common-name", "a.example", "--tag", "kind=test", "--no-issue"];
    server.answer(&create);
    let made = json_of(&server.answer(&["certs", "get", "mc-a", "-o", "json"]));
    assert_eq!(made["tags"], json!({ "kind": "test" }));
    server.answer(&["certs", "update", "mc-a", "--environment", "staging", "--tags", r#"{"kind":"other"}"#]);
    let found = server.answer(&["certs", "list", "--environment", "staging", "--fields", "id", "-o", "json"]);
    assert_eq!(json_of(&found)["data"], json!([{ "id": "mc-a" }]));
    let gone = server.ask(&["certs", "archive", "mc-a", "--no-input"]);
    assert!(text(&gone).is_empty(), "data alone goes to standard output");
    let found = json_of(&server.answer(&["certs", "list", "-o", "json"]));
    assert_eq!(found["total"], 0);
    server.terminate();
}

#[test]
fn exit_codes_say_what_went_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with_key(directory.path());
    let ask = |arguments: &[&str]| code(&server.ask(arguments));
    assert_eq!(ask(&["server", "health"]).0, 0);
    assert_eq!(ask(&["certs", "update", "mc-none", "--data", r#"{"name":3}"#]).0, 1, "the server says 400");
    for wrong in [
        &["certs", "no-such-verb"][..],
        &["certs", "get"],
        &["certs", "get", "a", "--no-such-flag"],
        &["certs", "list", "--status", "No"],
        &["certs", "get", ".."],
        &["certs", "update", "mc-a", "--data", "{"],
        &["certs", "update", "mc-a", "--data", "[]"],
        &["teams", "list", "-o", "xml"],
        &["auth", "info", "-o", "name"],
        &["renewal-policies", "create", "--name", "x", "--renewal-window-days", "many"],
    ] {
        let (code, said) = ask(wrong);
        assert_eq!(code, 2, "{wrong:?}: {said}");
    }
    assert_eq!(ask(&["certs", "get", "mc-none"]).0, 3);
    let made = ["teams", "create", "--id", "team-b", "--name", "B"];
    assert_eq!((ask(&made).0, ask(&made).0), (0, 5));

    let with = |key: &str, url: &str| {
        let mut command = certctl();
        command.args(["certs", "list", "--server", url, "--ca"]).arg(&server.ca).env("CERTCTL_API_KEY", key);
        code(&command.output().unwrap())
    };
    assert_eq!(with("a-key-that-nobody-has", &server.url).0, 4);
    assert_eq!(with(KEY, "https://127.0.0.1:1").0, 6);
    assert_eq!(with(KEY, "http://certctl.example").0, 2);
    server.terminate();

    let help = text(&certctl().arg("--help").output().unwrap());
    for line in ["  2  the command line is wrong", "  6  no answer"] {
        assert!(help.contains(line), "{help}");
    }
}

#[test]
fn the_same_commands_work_on_a_store_that_no_server_uses() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with_key(directory.path());
    let by_server = ["certs", "create", "--id", "mc-server", "--common-name", "s.example", "--name", "by a server"];
    let by_store = ["certs", "create", "--id", "mc-store", "--common-name", "s.example", "--name", "by a store"];
    server.answer(&by_server);
    let seen_by_server = server.answer(&["issuers", "list"]);

    let (taken, said) = code(&store(directory.path(), &["certs", "list"]));
    assert!(taken == 1 && said.contains("in use by another certctl process"), "{said}");
    server.terminate();

    assert_eq!(text(&store(directory.path(), &["issuers", "list"])), seen_by_server);
    assert!(text(&store(directory.path(), &by_store)).contains("mc-store"));
    let listed = text(&store(directory.path(), &["certs", "list", "-o", "name"]));
    assert!(listed.contains("mc-server") && listed.contains("mc-store"), "{listed}");
    assert_eq!(code(&store(directory.path(), &["certs", "get", "mc-none"])).0, 3);
    assert_eq!(code(&store(directory.path(), &by_store)).0, 5);
    assert!(text(&store(directory.path(), &["status"])).contains("ready"));
    let who = text(&store(directory.path(), &["auth", "check", "-o", "json"]));
    assert_eq!((&json_of(&who)["user"], &json_of(&who)["admin"]), (&json!("local"), &json!(true)));

    let url = format!("sqlite:{}", directory.path().join("certctl.db").display());
    assert!(text(&store(Path::new(&url), &["certs", "get", "mc-store"])).contains("s.example"));
    let (code_, said) = code(&store(&directory.path().join("missing"), &["certs", "list"]));
    assert!(code_ == 2 && said.contains("there is no directory"), "{said}");
    let both = certctl().args(["certs", "list", "--store", "x", "--server", "https://x"]).output().unwrap();
    assert_eq!(code(&both).0, 2);

    // A server comes back to what was done without it.
    let server = Running::with_key(directory.path());
    assert!(server.answer(&["certs", "get", "mc-store"]).contains("s.example"));
    server.terminate();
}

#[test]
fn certificates_are_imported_from_files() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with_key(directory.path());
    let import = |files: &[&Path], more: &[&str]| {
        let mut arguments = vec!["import"];
        arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
        arguments.extend(["--owner-id", "o-default", "--team-id", "team-default", "--issuer-id", "iss-local"]);
        arguments.extend(["--renewal-policy-id", "rp-default"]);
        arguments.extend(more);
        server.ask(&arguments)
    };
    let (two, bad) = (directory.path().join("two.pem"), directory.path().join("bad.pem"));
    let one = pem("one.example", 1);
    std::fs::write(&two, format!("a comment\n{one}{}", pem("two.example", 2))).unwrap();
    std::fs::write(&bad, "nothing\n").unwrap();
    let (failed, said) = code(&import(&[&two, &bad], &[]));
    assert!(failed == 1 && said.contains("bad.pem"), "{said}");
    assert_eq!(json_of(&server.answer(&["certs", "list", "-o", "json"]))["total"], 0, "all files are read first");

    // A key beside a certificate stays where it is.
    let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    std::fs::write(&two, format!("a comment\n{one}{key}{}", pem("two.example", 2))).unwrap();
    let template = ["--name-template", "old {cn}", "-o", "json"];
    let preview = json_of(&text(&import(&[&two], &[&template[..], &["--dry-run"]].concat())));
    assert_eq!((&preview["dry_run"], &preview["total_imported"]), (&json!(true), &json!(2)), "{preview}");
    assert_eq!(json_of(&server.answer(&["certs", "list", "-o", "json"]))["total"], 0, "a preview changes nothing");
    let output = import(&[&two], &template);
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 private keys were not read"));
    let told = json_of(&text(&output));
    let made = &told["certificates"];
    assert_eq!((&made[0]["name"], &made[1]["name"]), (&json!("old one.example"), &json!("old two.example")), "{told}");
    assert_eq!(made[0]["issuers"], 0, "the files do not hold who made it");
    for certificate in made.as_array().unwrap() {
        let stored = json_of(&server.answer(&["certs", "get", certificate["id"].as_str().unwrap(), "-o", "json"]));
        assert_eq!((&stored["environment"], &stored["status"]), (&json!("imported"), &json!("Active")), "{stored}");
        assert_eq!(stored["expires_at"], certificate["not_after"]);
    }
    let again = json_of(&text(&import(&[&two], &template)));
    assert_eq!((&again["total_imported"], &again["total_skipped"]), (&json!(0), &json!(2)), "{again}");
    assert_eq!(again["skipped"][1]["reason"], "known");
    let jobs = json_of(&server.answer(&["jobs", "list", "-o", "json"]));
    assert_eq!(jobs["total"], 0, "nothing is issued");
    many_at_once(&server);
    server.terminate();
}

/// What is done to many at once, over a real store.
fn many_at_once(server: &Running) {
    let ask = |arguments: &[&str]| json_of(&server.answer(&[&["certs"], arguments, &["-o", "json"]].concat()));
    for name in ["a", "b"] {
        let host = format!("{name}.example");
        ask(&["create", "--id", name, "--common-name", &host, "--no-issue"]);
    }
    let preview = ask(&["bulk-renew", "--certificate-ids", "a", "--certificate-ids", "none", "--dry-run"]);
    assert_eq!((&preview["total_renewed"], &preview["total_failed"]), (&json!(1), &json!(1)), "{preview}");
    assert_eq!(json_of(&server.answer(&["jobs", "list", "-o", "json"]))["total"], 0);
    let done = ask(&["bulk-renew", "--profile-id", "prof-default"]);
    assert_eq!(
        (&done["total_matched"], &done["total_renewed"], &done["total_failed"]),
        (&json!(4), &json!(2), &json!(2))
    );
    server.answer(&["teams", "create", "--id", "t-2", "--name", "two"]);
    let given = ask(&["bulk-reassign", "--issuer-id", "iss-local", "--new-team-id", "t-2"]);
    assert_eq!((&given["total_matched"], &given["total_reassigned"]), (&json!(4), &json!(4)), "{given}");
    assert_eq!(json_of(&server.answer(&["certs", "list", "--team-id", "t-2", "-o", "json"]))["total"], 4);

    let held = ask(&["bulk-revoke", "--issuer-id", "iss-local", "--reason", "certificateHold"]);
    assert_eq!(
        (&held["total_revoked"], &held["total_failed"]),
        (&json!(2), &json!(2)),
        "two were never issued: {held}"
    );
    let id = held["certificate_ids"][0].as_str().unwrap();
    assert_eq!(ask(&["release", id])["status"], "released");
    assert_eq!(ask(&["get", id])["status"], "Active");
    assert_eq!(ask(&["revoke", id, "--reason", "superseded"])["status"], "revoked");
    assert_eq!(ask(&["get", id])["revocation_reason"], "superseded");
}

/// A certificate from somewhere else.
fn pem(name: &str, seed: u64) -> String {
    let now = ManualClock::START;
    block_on(async {
        TestAuthority::new(seed, now).await.issue(&[name], now, now + Duration::from_secs(3600)).await.chain.leaf_pem()
    })
}

#[test]
fn shells_and_manuals_know_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = text(&certctl().args(["completions", shell]).output().unwrap());
        assert!(script.contains("renewal-policies") && script.contains("enrol-token"), "{shell}");
    }
    let script = text(&certctl().args(["completions", "bash"]).output().unwrap());
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut bash.stdin.take().unwrap(), script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success(), "bash reads it");

    let directory = tempfile::tempdir().unwrap();
    text(&certctl().arg("man").arg(directory.path()).output().unwrap());
    for page in ["certctl.1", "certctl-serve.1", "certctl-certs-list.1", "certctl-renewal-policies-create.1"] {
        let page_text = std::fs::read_to_string(directory.path().join(page)).unwrap();
        assert!(page_text.contains(".TH"), "{page}");
    }
    let version = text(&certctl().arg("version").output().unwrap());
    assert_eq!(version.trim(), concat!("certctl ", env!("CARGO_PKG_VERSION")));
    let said = refusal({
        let mut command = certctl();
        command.args(["man", "/dev/null/pages"]);
        command
    });
    assert!(said.contains("man pages"), "{said}");
}
