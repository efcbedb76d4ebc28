//! What is told of a certificate that was found.

use crate::domain::{CertificateFacts, Described, Finding};

/// What a certificate says of itself, in the words of a report.
pub fn described(facts: &CertificateFacts) -> Described {
    let names = facts.names.sans.iter().map(ToString::to_string);
    Described {
        common_name: facts.names.common_name.clone().unwrap_or_default(),
        sans: names.chain(facts.other_names.iter().cloned()).collect(),
        serial_number: facts.serial.to_string(),
        issuer_dn: facts.issuer.clone(),
        subject_dn: facts.subject.clone(),
        not_before: Some(facts.not_before),
        not_after: Some(facts.not_after),
        key_algorithm: match facts.key_algorithm {
            Some(algorithm) => algorithm.family().name().into(),
            None => facts.key_algorithm_text.clone(),
        },
        key_size: facts.key_algorithm.map_or(0, |algorithm| i64::from(algorithm.bits())),
        is_ca: facts.is_ca,
    }
}

/// A certificate that was read, at the place where it was found.
pub fn finding(der: Vec<u8>, facts: &CertificateFacts, source_path: &str, source_format: &str) -> Finding {
    Finding {
        fingerprint: facts.fingerprint,
        described: described(facts),
        certificate: Some(der),
        source_path: source_path.into(),
        source_format: source_format.into(),
    }
}
