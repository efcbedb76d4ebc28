//! Files that may hold certificates: whatever is in them, what is found can be read again, alone and in PEM.

#![no_main]

use certctl_core::discovery::{contents, described};
use certctl_core::domain::pem;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let found = contents(octets);
    for (der, facts) in &found.certificates {
        let _ = described(facts);
        let again = contents(der);
        assert_eq!((again.format, again.certificates.len()), ("DER", 1));
        let again = contents(pem::encode("CERTIFICATE", der).as_bytes());
        assert_eq!((again.certificates.as_slice(), again.problems.len()), (&[(der.clone(), facts.clone())][..], 0));
    }
});
