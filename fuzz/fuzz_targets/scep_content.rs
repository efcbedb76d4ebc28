//! What stands encrypted in SCEP messages: whatever a key makes of one.

#![no_main]

use certctl_core::pki::cms::Strength;
use certctl_core::pki::scep::{Content, MessageType};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    for kind in MessageType::ALL {
        let _ = Content::read(kind, Ok(octets), Strength::Legacy);
    }
});
