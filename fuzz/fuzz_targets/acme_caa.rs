//! CAA records: no panic; only a record that has the name of the server allows it what others are allowed.

#![no_main]

use certctl_core::domain::AcmeChallengeType;
use certctl_core::enrol::acme::caa::{Forbidden, Issuance, verdict};
use certctl_core::ports::CaaRecord;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    // One record in each line: a letter for its tag, and its value.
    let records: Vec<CaaRecord> = text
        .split(|octet| *octet == b'\n')
        .map(|line| {
            let (kind, value) = line.split_first().unwrap_or((&b'i', &[]));
            let tag = match kind | 0x20 {
                b'i' => "issue",
                b'w' => "issuewild",
                b'd' => "iodef",
                _ => "other",
            };
            CaaRecord { critical: kind.is_ascii_uppercase(), tag: tag.into(), value: value.to_vec() }
        })
        .collect();
    let (identities, urls) = (["ca.example".to_owned()], ["https://pki.example/acme/account/7".to_owned()]);
    for wildcard in [false, true] {
        let issuance =
            Issuance { identities: &identities, wildcard, method: AcmeChallengeType::Dns01, account_urls: &urls };
        let restricts = |record: &CaaRecord| record.tag == "issue" || wildcard && record.tag == "issuewild";
        let named = |record: &CaaRecord| {
            let value = record.value.to_ascii_lowercase();
            value.windows(10).any(|part| part == b"ca.example")
        };
        match verdict(&records, &issuance) {
            Ok(()) => assert!(!records.iter().any(restricts) || records.iter().any(|one| restricts(one) && named(one))),
            Err(Forbidden::Critical) => assert!(records.iter().any(|record| record.critical)),
            Err(_) => assert!(records.iter().any(restricts)),
        }
    }
});
