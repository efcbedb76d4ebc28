//! Messages of ACME clients: no panic; what is read has one signer, and is not taken as signed without a signature.

#![no_main]

use certctl_core::enrol::acme::eab;
use certctl_core::enrol::acme::jwk::Jwk;
use certctl_core::enrol::acme::jws::{self, Signer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    if let Ok(parsed) = jws::parse(message) {
        if let Signer::Jwk(key) = &parsed.signer {
            // A key reads as itself.
            assert_eq!(Jwk::of_spki(key.spki()).as_ref(), Ok(&**key));
            let _ = parsed.verify(key);
            if let Ok(binding) = eab::parse(&parsed.payload, &parsed.url, key) {
                assert!(!binding.is_made_with(&[0; 32]) || binding.kid().len() < message.len());
            }
        }
        let _ = jws::parse(&parsed.payload);
    }
    let _ = Jwk::parse(message);
});
