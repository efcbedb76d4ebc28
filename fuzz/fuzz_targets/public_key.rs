//! Public keys, algorithms and signatures: no panic, and nothing that is noise verifies.

#![no_main]

use certctl_core::domain::SignatureAlgorithm;
use certctl_core::pki::{algorithm, key, verify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Ok(kind) = key::algorithm(octets) {
        assert_eq!(key::identifier(octets).map(|id| id.len()), Ok(20));
        assert!(key::are_same(octets, octets), "{kind}");
        let (message, signature) = octets.split_at(octets.len() / 2);
        for algorithm in SignatureAlgorithm::ALL {
            let _ = verify::signature(octets, *algorithm, message, signature);
        }
    }
    if let Some(known) = algorithm::decode(octets) {
        assert_eq!(algorithm::decode(&algorithm::encode(known)), Some(known));
    }
});
