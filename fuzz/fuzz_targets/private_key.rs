//! Private keys in their files: no panic, and a key that is read is written and read again.

#![no_main]

use certctl_core::pki::private_key;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let _ = private_key::algorithm(octets);
    if let Ok(text) = std::str::from_utf8(octets)
        && let Ok(pkcs8) = private_key::from_pem(text)
    {
        let again = private_key::from_pem(&private_key::to_pem(&pkcs8));
        assert_eq!(again.as_deref().ok(), Some(&*pkcs8));
        let _ = private_key::algorithm(&pkcs8);
    }
});
