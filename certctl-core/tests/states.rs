//! The state machines as people read them: `docs/states.md` is made from the transition tables.

#![expect(clippy::disallowed_methods, reason = "a test that compares a committed file reads it")]

use std::fmt::Write as _;
use std::path::Path;

use certctl_core::domain::{
    AcmeAccountState, AcmeAuthorizationState, AcmeChallengeState, AcmeOrderState, AgentStatus, DiscoveryStatus,
    IntermediateCaState, JobState, Lifecycle, NotificationState, RevocationNoticeState, RolloutState, ScheduleState,
};

macro_rules! chapter {
    ($text:ident, $title:literal, $state:ident) => {
        write!($text, "\n## {}\n\n```mermaid\n{}```\n\n", $title, $state::diagram()).unwrap();
        let names: Vec<&str> = $state::ALL.iter().map(|state| state.name()).collect();
        writeln!($text, "| from \\ to | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len())).unwrap();
        for from in $state::ALL {
            let edge = |to: &$state| if from.can_become(*to) { "yes" } else { "" };
            let row: Vec<&str> = $state::ALL.iter().map(edge).collect();
            writeln!($text, "| {from} | {} |", row.join(" | ")).unwrap();
            assert_eq!(from.is_terminal(), $state::ALL.iter().all(|to| !from.can_become(*to)));
            for to in $state::ALL {
                assert_eq!(from.transition(*to).is_ok(), from.can_become(*to));
            }
        }
    };
}

#[test]
fn the_committed_diagrams_are_those_of_the_tables() {
    let mut text = String::from(
        "# States\n\nMade from the transition tables in `certctl-core/src/domain/` by `cargo test -p certctl-core --test \
         states` with `CERTCTL_BLESS=1`.\n",
    );
    chapter!(text, "Certificate, as stored", Lifecycle);
    chapter!(text, "Job", JobState);
    chapter!(text, "Rollout of a certificate", RolloutState);
    chapter!(text, "Agent", AgentStatus);
    chapter!(text, "Notification", NotificationState);
    chapter!(text, "Revocation that an issuer is to be told of", RevocationNoticeState);
    chapter!(text, "Intermediate CA", IntermediateCaState);
    chapter!(text, "Certificate that was found", DiscoveryStatus);
    chapter!(text, "Search by the server", ScheduleState);
    chapter!(text, "Account at the ACME server", AcmeAccountState);
    chapter!(text, "Order at the ACME server", AcmeOrderState);
    chapter!(text, "Authorization at the ACME server", AcmeAuthorizationState);
    chapter!(text, "Challenge of the ACME server", AcmeChallengeState);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/states.md");
    if std::env::var_os("CERTCTL_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, text, "docs/states.md is out of date: run this test with CERTCTL_BLESS=1");
}
