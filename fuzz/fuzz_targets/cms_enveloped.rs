//! Enveloped messages: what is read of them without a key.

#![no_main]

use certctl_core::pki::cms::{CertificateIdentifier, EnvelopedData, Recipient, Strength};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Ok(message) = EnvelopedData::parse(octets, Strength::Legacy) {
        let _ = (message.cipher(), message.is_for(octets));
    }
    if let Ok(identifier) = CertificateIdentifier::of(octets) {
        assert!(identifier.means(octets));
    }
    let _ = Recipient::of(octets);
});
