//! Certificate revocation lists: reading one, and asking it about a certificate, does not panic.

#![no_main]

use certctl_core::domain::Timestamp;
use certctl_core::pki::path::{Revocation, RevocationList, TrustAnchor, UnknownStatus, Validation};
use libfuzzer_sys::fuzz_target;

/// A certificate that made itself, so that somebody can be asked about.
const ROOT: &[u8] = include_bytes!("../seeds/path/root.der");

fuzz_target!(|der: &[u8]| {
    let Ok(list) = RevocationList::read(der) else { return };
    let _ = (list.entries(), list.this_update(), list.next_update());
    let Ok(anchor) = TrustAnchor::from_certificate(ROOT) else { return };
    let lists = [list];
    for at in [None, Some(Timestamp::from_unix_seconds(1_900_000_000))] {
        let anchors = [anchor.clone()];
        let validation = Validation {
            at,
            revocation: Revocation::Lists { lists: &lists, signers: &[ROOT], unknown: UnknownStatus::Accept },
            ..Validation::new(&anchors, Timestamp::default())
        };
        let _ = validation.validate(&[ROOT]);
    }
});
