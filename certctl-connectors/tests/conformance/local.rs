//! The local CA: with a root of its own, and with a CA that an operator gave.

#![expect(clippy::unwrap_used, reason = "a subject that cannot be set up fails its cases")]

use std::time::Duration;

use certctl_core::domain::{KeyAlgorithm, Serial, pem};
use certctl_core::pki::certificate::{self, AuthorityRequest, DistinguishedName};
use certctl_core::pki::private_key;
use certctl_core::testing::issuer::{Subject, Unusable};
use certctl_core::testing::{FakePorts, ManualClock, block_on};
use serde_json::{Value, json};

/// No configuration at all is one.
pub(crate) struct OwnRoot;

impl Subject for OwnRoot {
    fn config(&self) -> Value {
        json!({})
    }

    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    fn unusable(&self) -> Vec<Unusable> {
        vec![
            Unusable::at("/ca_common_name", json!({"ca_common_name": " "})),
            Unusable::at("/validity_days", json!({"validity_days": 0})),
            Unusable::at("/ca_validity_days", json!({"ca_validity_days": 100_000})),
            Unusable::at("/crl_urls/0", json!({"crl_urls": ["/ca.crl"]})),
        ]
    }
}

/// A CA certificate and its key, in PEM.
pub(crate) struct GivenCa {
    certificate: String,
    key: String,
}

impl GivenCa {
    pub(crate) fn new() -> Self {
        let fakes = FakePorts::seeded(2);
        let key = block_on(fakes.keys.generate(KeyAlgorithm::EcdsaP256, &*fakes.rng)).unwrap();
        let request = AuthorityRequest {
            subject: DistinguishedName { common_name: "Operator's CA".to_owned(), ..DistinguishedName::default() },
            spki: key.signer.public_key().to_vec(),
            serial: Serial::random(&*fakes.rng),
            not_before: ManualClock::START - Duration::from_hours(24),
            not_after: ManualClock::START + Duration::from_hours(24 * 365 * 5),
            path_length: Some(0),
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let root = block_on(certificate::root(&request).unwrap().sign(&*key.signer)).unwrap();
        Self { certificate: pem::encode("CERTIFICATE", &root), key: private_key::to_pem(&key.pkcs8).to_string() }
    }
}

impl Subject for GivenCa {
    fn config(&self) -> Value {
        json!({"ca_cert_pem": self.certificate, "ca_key_pem": self.key, "validity_days": 30})
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.key.clone()]
    }

    fn unusable(&self) -> Vec<Unusable> {
        vec![
            Unusable::at("/ca_key_pem", json!({"ca_cert_pem": self.certificate})),
            Unusable::at("/ca_cert_pem", json!({"ca_key_pem": self.key})),
            Unusable::at("/ca_cert_pem", json!({"ca_cert_pem": self.key, "ca_key_pem": self.key})),
            Unusable::at("/ca_key_pem", json!({"ca_cert_pem": self.certificate, "ca_key_pem": self.certificate})),
            Unusable::at("/ca_cert_path", json!({"ca_cert_path": "/etc/ca.pem", "ca_key_path": "/etc/ca.key"})),
            Unusable::at("/validity_days", json!({"validity_days": 0})),
        ]
    }
}
