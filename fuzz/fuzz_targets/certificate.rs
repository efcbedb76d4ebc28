//! Certificates: reading, linting and chaining do not panic.

#![no_main]

use certctl_core::domain::{Chain, Timestamp};
use certctl_core::pki::certificate::{self, Authority};
use certctl_core::pki::chain::{self, Root};
use certctl_core::pki::lint::{self, Scope};
use certctl_core::pki::private_key;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|der: &[u8]| {
    let _ = lint::check(der, Scope::PublicTrust);
    let _ = private_key::algorithm(der);
    let _ = Authority::from_certificate(der);
    if let Ok(facts) = certificate::parse(der) {
        assert_eq!(certificate::parse(der).as_ref(), Ok(&facts));
        let _ = chain::assemble(der, &[der.to_vec()], Root::Keep);
    }
    if let Ok(chain) = Chain::from_bytes(der) {
        assert_eq!(chain.to_bytes(), der);
        let _ = chain::check_links(&chain, Timestamp::from_unix_seconds(1_900_000_000));
    }
});
