//! Names, serial numbers and fingerprints: what is accepted reads as itself.

#![no_main]

use certctl_core::domain::{Fingerprint, Serial, SubjectAltName, SubjectNames};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(san) = SubjectAltName::parse(text) {
        assert_eq!(SubjectAltName::parse(&san.to_string()).as_ref(), Ok(&san));
    }
    if let Ok(names) = SubjectNames::new(text, &[]) {
        let common_name = names.common_name.clone().unwrap_or_default();
        assert_eq!(SubjectNames::new(&common_name, &names.san_texts()).as_ref(), Ok(&names));
    }
    if let Ok(serial) = text.parse::<Serial>() {
        assert_eq!(serial.to_string().parse().as_ref(), Ok(&serial));
        assert_eq!(Serial::from_integer(&serial.to_integer()).as_ref(), Ok(&serial));
    }
    if let Ok(fingerprint) = Fingerprint::parse(text) {
        assert_eq!(Fingerprint::parse(&fingerprint.to_string()), Ok(fingerprint));
    }
});
