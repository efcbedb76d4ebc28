//! PEM: what is accepted survives being written and read.

#![no_main]

use certctl_core::domain::{Chain, pem};
use certctl_core::pki::{csr, private_key};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = csr::parse_pem(text);
    let _ = private_key::from_pem(text);
    if let Ok(chain) = Chain::from_pem(text) {
        assert_eq!(Chain::from_pem(&chain.to_pem()).as_ref(), Ok(&chain));
    }
    for block in pem::parse(text, 1 << 20).unwrap_or_default() {
        let again = pem::parse(&pem::encode(&block.label, &block.der), usize::MAX);
        assert_eq!(again.as_deref(), Ok(&[block][..]));
    }
});
