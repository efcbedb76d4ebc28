//! Distinguished names, as subject and issuer: no panic, and a name equals itself.

#![no_main]

#[expect(dead_code, reason = "other targets need the rest")]
mod certificate_around;

use certctl_core::domain::Timestamp;
use certctl_core::pki::certificate;
use certctl_core::pki::path::{PathFault, TrustAnchor, Validation};
use certificate_around::certificate as around;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|name: &[u8]| {
    let der = around(name, name, &[]);
    let _ = certificate::parse(&der);
    let Ok(anchor) = TrustAnchor::from_certificate(&der) else { return };
    let _ = anchor.subject();
    let anchors = [anchor];
    let validation = Validation { at: None, ..Validation::new(&anchors, Timestamp::default()) };
    // The signature is none, so that is what must stand against it, and not its name.
    if let Err(error) = validation.validate(&[&der]) {
        assert!(matches!(error.fault, PathFault::Signature | PathFault::Malformed(_)), "{error}");
    }
});
