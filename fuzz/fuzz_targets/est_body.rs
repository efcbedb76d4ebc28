//! Bodies of EST requests: no panic, and what is accepted is the request that its sender signed, however it was wrapped.

#![no_main]

use certctl_core::pki::{csr, est};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let Ok(request) = est::request(body) else { return };
    assert!(body.len() <= est::MAX_BODY_OCTETS);
    assert_eq!(csr::parse_der(request.der()).as_ref(), Ok(&request));
    let again = est::request(est::encode(request.der()).as_bytes());
    assert_eq!(again.as_ref(), Ok(&request));
    // What binds it to a connection is read or refused.
    let _ = est::channel_binding(request.der());
});
