//! Certification requests: what is accepted reads the same again.

#![no_main]

use certctl_core::domain::MAX_NAMES;
use certctl_core::pki::csr;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|der: &[u8]| {
    if let Ok(csr) = csr::parse_der(der) {
        assert_eq!(csr.der(), der);
        assert!(csr.names().sans.len() <= MAX_NAMES);
        assert_eq!(csr::parse_pem(&csr.to_pem()).as_ref(), Ok(&csr));
    }
});
