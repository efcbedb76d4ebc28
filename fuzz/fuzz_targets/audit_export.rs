//! Exports of the audit trail, which anybody may have written: no panic, and what was not sealed here is never vouched for.

#![no_main]

use certctl_core::audit::{ExportReader, Verifier};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut reader = ExportReader::new(Verifier::default().trusting("a key that nobody has"));
    for line in text.lines() {
        if reader.line(line).is_err() {
            return;
        }
    }
    if let Ok(outcome) = reader.finish() {
        assert!(outcome.vouched.is_none());
    }
});
