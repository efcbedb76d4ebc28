//! Certification paths: rows of certificates, and what is found among them. Nothing panics, and what is found is valid.

#![no_main]

use certctl_core::domain::{Chain, ExtendedKeyUsage, Timestamp};
use certctl_core::pki::chain;
use certctl_core::pki::path::{PolicyTerms, Purpose, PurposeScope, TrustAnchor, Validation};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let Ok(chain) = Chain::from_bytes(octets) else { return };
    let _ = chain::check_constraints(&chain);
    let Some(Ok(anchor)) = chain.certificates().last().map(|der| TrustAnchor::from_certificate(der)) else { return };
    let anchors = [anchor];
    let lenient = Validation { at: None, ..Validation::new(&anchors, Timestamp::default()) };
    let strict = Validation {
        purpose: Some(Purpose { usage: ExtendedKeyUsage::ServerAuth, scope: PurposeScope::WholePath }),
        policies: PolicyTerms { demanded: true, ..PolicyTerms::default() },
        ..Validation::new(&anchors, Timestamp::from_unix_seconds(1_900_000_000))
    };
    for validation in [lenient, strict] {
        let _ = validation.validate(chain.certificates());
        if let Ok(found) = validation.find(chain.leaf(), chain.issuers()) {
            assert_eq!(validation.validate(&found.path), Ok(found.valid));
        }
    }
});
