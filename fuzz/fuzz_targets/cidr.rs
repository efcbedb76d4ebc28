//! Blocks of addresses, as operators write them: no panic, and what is read is written as it was meant.

#![no_main]

use certctl_core::domain::Cidr;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(block) = text.parse::<Cidr>() {
        assert_eq!(block.to_string().parse::<Cidr>().ok(), Some(block));
    }
});
