//! Name constraints as operators write them: no panic, and what is accepted narrows nothing that it names itself.

#![no_main]

use certctl_core::domain::{Chain, NameConstraints};
use certctl_core::pki::path::not_narrower;
use libfuzzer_sys::fuzz_target;

const ROOT: &[u8] = include_bytes!("../seeds/path/root.der");

fuzz_target!(|text: &[u8]| {
    let Ok(constraints) = serde_json::from_slice::<NameConstraints>(text) else { return };
    let Ok(chain) = Chain::from_der(vec![ROOT.to_vec()]) else { return };
    let narrower = not_narrower(&chain, &constraints);
    assert_eq!(narrower.is_ok(), constraints.check().is_ok());
    // The root limits nothing, so everything fits below it.
    assert!(narrower.map_or(true, |wider| wider.is_none()));
});
