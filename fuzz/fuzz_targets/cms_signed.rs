//! Signed messages, and what SCEP reads of them before it decrypts anything.

#![no_main]

use certctl_core::pki::cms::{SignedData, Strength};
use certctl_core::pki::scep::PkiMessage;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let Ok(signed) = SignedData::parse(octets) else { return };
    if let Ok(verified) = signed.verify(Strength::Legacy) {
        assert!(signed.certificates().iter().any(|certificate| certificate == verified.certificate));
        assert!(signed.claimed_attributes().is_some());
    }
    if PkiMessage::open(&signed, Strength::Legacy).is_ok() {
        assert!(signed.verify(Strength::Legacy).is_ok());
    }
});
