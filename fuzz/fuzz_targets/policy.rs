//! Configurations of policy rules: no panic, whichever type they are for.

#![no_main]

use certctl_core::domain::{PolicyConfig, PolicyType};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(config) = serde_json::from_slice(bytes) else { return };
    for kind in PolicyType::ALL {
        let _ = PolicyConfig::parse(*kind, &config);
    }
});
