//! The demo, as a newcomer runs it.

#![expect(clippy::disallowed_methods, reason = "the test runs the program")]

use std::process::Command;

#[test]
fn the_demo_shows_a_whole_life_and_ends_well() {
    let output = Command::new(env!("CARGO_BIN_EXE_certctl")).args(["demo", "--once"]).env_clear().output().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{complained}");
    let fingerprint = |line: &str| {
        let found = said.lines().find_map(|said| said.trim().strip_prefix(line)).unwrap_or_else(|| panic!("{said}"));
        let found = found.trim().to_owned();
        assert!(found.len() == 64 && found.chars().all(|c| c.is_ascii_hexdigit()), "{found}");
        found
    };
    assert_ne!(fingerprint("served before renewal"), fingerprint("served after renewal"));
    assert!(said.contains(", 0 failed"), "{said}");
    assert_eq!(complained, "");
}
