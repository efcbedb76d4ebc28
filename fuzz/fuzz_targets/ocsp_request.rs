//! OCSP requests, in DER and as a URL has them: what is accepted keeps to its limits and is part of what came.

#![no_main]

use certctl_core::pki::ocsp::{
    CertId, MAX_NONCE_OCTETS, MAX_REQUEST_OCTETS, MAX_REQUESTED, OcspRequest, octets_of_url,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    if let Some(octets) = std::str::from_utf8(bytes).ok().and_then(octets_of_url) {
        check(&octets);
    }
});

fn check(der: &[u8]) {
    let Ok(request) = OcspRequest::parse(der) else { return };
    assert!(der.len() <= MAX_REQUEST_OCTETS && (1..=MAX_REQUESTED).contains(&request.ids.len()));
    assert!(request.nonce.is_none_or(|nonce| (1..=MAX_NONCE_OCTETS).contains(&nonce.len())));
    for id in &request.ids {
        assert_eq!(CertId::parse(id.der()).as_ref(), Ok(id));
        if let Ok(serial) = id.serial() {
            assert!(serial.as_bytes().len() <= 20);
        }
    }
}
