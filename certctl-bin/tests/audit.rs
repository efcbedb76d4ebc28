//! `certctl audit` against a server, and on what it left behind.

#![expect(clippy::disallowed_methods, reason = "the test runs the program and looks at its files")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod program;

use std::path::Path;

use program::{Running, certctl, refusal};

/// The exit code and what it said.
fn verify(arguments: &[&str], files: &[&Path]) -> (Option<i32>, String) {
    let mut command = certctl();
    command.args(["audit", "verify"]);
    for (argument, file) in arguments.iter().zip(files) {
        command.arg(argument).arg(file);
    }
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_trail_is_listed_exported_and_verified_where_it_is_and_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = Running::with_key(&data);
    server.answer(&["certs", "create", "--id", "mc-audited", "--common-name", "audited.example"]);
    let checkpoints = data.join("audit-checkpoints.ndjson");
    // The server's own loop seals and signs; each question takes some of the second that it may take.
    let list = || server.answer(&["audit", "list", "--resource-id", "mc-audited"]);
    let is_sealed = |listed: &str| listed.lines().skip(1).all(|line| !line.starts_with('-'));
    assert!((0..500).any(|_| checkpoints.exists() && is_sealed(&list())), "nothing was sealed and signed");
    let listed = list();
    assert!(listed.contains("certificate_created"), "{listed}");
    let id = listed.lines().nth(1).unwrap().split_whitespace().last().unwrap();
    assert!(server.answer(&["audit", "get", id]).contains("mc-audited"));
    assert!(server.answer(&["audit", "verify"]).contains("The trail is whole."));

    let export = directory.path().join("audit.ndjson");
    server.answer(&["audit", "export", "--out", export.to_str().unwrap()]);
    assert!(!server.ask(&["audit", "export", "--out", export.to_str().unwrap()]).status.success(), "it is there");
    let table = server.answer(&["audit", "export", "--as", "csv", "--resource-id", "mc-audited"]);
    assert!(table.lines().count() == 2 && table.starts_with("seq,"), "{table}");
    server.terminate();

    let (code, said) = verify(&["--file", "--checkpoints"], &[&export, &checkpoints]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("signed by key"), "{said}");
    let text = std::fs::read_to_string(&export).unwrap();
    let changed = directory.path().join("changed.ndjson");
    std::fs::write(&changed, text.replace("audited.example", "forged.example")).unwrap();
    let (code, said) = verify(&["--file"], &[&changed]);
    assert_eq!(code, Some(7), "{said}");
    assert!(said.contains("FOUND edited"), "{said}");
    let lines: Vec<&str> = text.lines().collect();
    std::fs::write(&changed, lines[..3].join("\n")).unwrap();
    let mut command = certctl();
    command.args(["audit", "verify", "--file"]).arg(&changed);
    let said = refusal(command);
    assert!(said.contains("cut short"), "{said}");
}
