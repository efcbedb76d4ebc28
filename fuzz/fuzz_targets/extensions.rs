//! The values of extensions (general names, constraints, policies, distribution points, …) in a certificate that is otherwise in
//! order: no panic, in reading, linting and validating.

#![no_main]

mod certificate_around;

use certctl_core::domain::Timestamp;
use certctl_core::pki::certificate::{self, Authority};
use certctl_core::pki::lint::{self, Scope};
use certctl_core::pki::path::{Revocation, TrustAnchor, UnknownStatus, Validation};
use certificate_around::{NAME, certificate, extension, signed, tbs};
use libfuzzer_sys::fuzz_target;

/// The last arcs of 2.5.29 that are looked into.
const KINDS: [u8; 13] = [14, 15, 17, 18, 19, 30, 31, 32, 33, 35, 36, 37, 54];

fuzz_target!(|octets: &[u8]| {
    let Some((choice, value)) = octets.split_first() else { return };
    let kind = KINDS[usize::from(*choice & 0x7f) % KINDS.len()];
    let extension = extension(&[0x55, 0x1d, kind], choice & 0x80 != 0, value);
    let tbs = tbs(&NAME, &NAME, &extension);
    let _ = lint::check(&tbs, Scope::PublicTrust);
    let der = signed(&tbs);
    let _ = (certificate::parse(&der), Authority::from_certificate(&der));
    let Ok(anchor) = TrustAnchor::from_certificate(&der) else { return };
    let anchors = [anchor];
    let validation = Validation {
        at: None,
        revocation: Revocation::Lists { lists: &[], signers: &[&der], unknown: UnknownStatus::Accept },
        ..Validation::new(&anchors, Timestamp::default())
    };
    let _ = validation.validate(&[&der]);
    let _ = validation.find(&certificate(&NAME, &NAME, &[]), &[&der]);
});
