//! Authorities to issue with, and what their certificates are for.

use std::sync::Arc;
use std::time::Duration;

use certctl_connectors::host::{OsRng, SoftwareKeys, TokioSpawner};
use certctl_core::domain::{ExtendedKeyUsage, KeyAlgorithm, RevocationReason, Serial, SubjectNames, Timestamp, pem};
use certctl_core::pki::certificate::{
    self, Authority, AuthorityRequest, DistinguishedName, LeafRequest, OcspResponderRequest,
};
use certctl_core::pki::crl::{CrlBuilder, CrlEntry, CrlExtent, CrlRequest};
use certctl_core::pki::lint::Scope;
use certctl_core::pki::ocsp::Responder;
use certctl_core::ports::{GeneratedKey, Keys};

/// The moment of every test.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_900_000_000);

/// Every kind of key.
pub(crate) const EVERY_KEY: [KeyAlgorithm; 5] = [
    KeyAlgorithm::EcdsaP256,
    KeyAlgorithm::EcdsaP384,
    KeyAlgorithm::Ed25519,
    KeyAlgorithm::Rsa { bits: 2048 },
    KeyAlgorithm::Rsa { bits: 3072 },
];

/// What a leaf is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile {
    /// TLS servers and clients.
    Tls,
    /// TLS clients.
    Client,
    /// S/MIME.
    Mail,
    /// Code signing.
    Code,
    /// Time stamping.
    Time,
    /// TLS without a subject.
    Nameless,
}

impl Profile {
    /// Every profile.
    pub(crate) const ALL: [Self; 6] = [Self::Tls, Self::Client, Self::Mail, Self::Code, Self::Time, Self::Nameless];

    fn usages(self) -> Vec<ExtendedKeyUsage> {
        match self {
            Self::Tls | Self::Nameless => vec![ExtendedKeyUsage::ServerAuth, ExtendedKeyUsage::ClientAuth],
            Self::Client => vec![ExtendedKeyUsage::ClientAuth],
            Self::Mail => vec![ExtendedKeyUsage::EmailProtection],
            Self::Code => vec![ExtendedKeyUsage::CodeSigning],
            Self::Time => vec![ExtendedKeyUsage::TimeStamping],
        }
    }

    fn names(self) -> SubjectNames {
        let (common_name, sans): (&str, &[&str]) = match self {
            Self::Tls => ("shop.example.com", &["*.shop.example.com", "192.0.2.7", "2001:db8::7"]),
            Self::Client => ("Agent 7", &["spiffe://example.com/agent/7"]),
            Self::Mail => ("Alice Beispiel", &["alice@example.com"]),
            Self::Code => ("Example Builds", &[]),
            Self::Time => ("Example Time", &[]),
            Self::Nameless => ("", &["bücher.example.com"]),
        };
        SubjectNames::new(common_name, &sans.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }
}

/// A root and an authority below it.
pub(crate) struct Authorities {
    /// For one thread.
    pub(crate) runtime: tokio::runtime::Runtime,
    root: Vec<u8>,
    /// The issuing authority's certificate.
    pub(crate) issuing: Vec<u8>,
    /// Its key.
    pub(crate) issuing_key: GeneratedKey,
}

/// One revoked serial number for each reason.
pub(crate) fn every_reason() -> Vec<(Serial, RevocationReason)> {
    let numbered = RevocationReason::ALL.iter().zip(1..);
    numbered.map(|(reason, number)| (Serial::from_magnitude(&[number]).unwrap(), *reason)).collect()
}

/// A runtime for one thread.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

impl Authorities {
    /// Both with keys of this kind.
    pub(crate) fn new(algorithm: KeyAlgorithm) -> Self {
        let runtime = runtime();
        let root_key = key(&runtime, algorithm);
        let mut request = authority_request("Example Root", root_key.signer.public_key());
        let root = certificate::root(&request).unwrap();
        let root = runtime.block_on(root.lint_and_sign(Scope::Always, &*root_key.signer)).unwrap();
        let issuing_key = key(&runtime, algorithm);
        request.subject.common_name = "Example Issuing".into();
        request.spki = issuing_key.signer.public_key().to_vec();
        request.serial = Serial::random(&OsRng);
        request.path_length = Some(0);
        request.crl_urls = vec!["http://ca.example.com/root.crl".into()];
        request.ca_issuer_urls = vec!["http://ca.example.com/root.cer".into()];
        let issuing = certificate::subordinate(&request, &Authority::from_certificate(&root).unwrap()).unwrap();
        let issuing = runtime.block_on(issuing.lint_and_sign(Scope::Always, &*root_key.signer)).unwrap();
        Self { runtime, root, issuing, issuing_key }
    }

    /// The root's certificate.
    pub(crate) fn root_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.root)
    }

    /// The issuing authority's certificate.
    pub(crate) fn issuing_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.issuing)
    }

    /// An OCSP responder of the issuing authority, for a month from [`NOW`] on, and its certificate.
    pub(crate) fn responder(&self) -> (Responder, Vec<u8>) {
        let responder_key = key(&self.runtime, KeyAlgorithm::EcdsaP256);
        let request = OcspResponderRequest {
            common_name: "OCSP responder".into(),
            spki: responder_key.signer.public_key().to_vec(),
            serial: Serial::random(&OsRng),
            not_before: NOW,
            not_after: NOW + Duration::from_hours(24 * 30),
        };
        let authority = Authority::from_certificate(&self.issuing).unwrap();
        let unsigned = certificate::ocsp_responder(&request, &authority).unwrap();
        let der = self.runtime.block_on(unsigned.lint_and_sign(Scope::Always, &*self.issuing_key.signer)).unwrap();
        (Responder::new(responder_key.signer, &der).unwrap(), der)
    }

    /// A new leaf.
    pub(crate) fn issue_pem(&self, algorithm: KeyAlgorithm, profile: Profile) -> String {
        self.issue(algorithm, &profile.names(), profile.usages())
    }

    /// A revocation list of the issuing authority, for a day from [`NOW`] on.
    pub(crate) fn list(&self, number: u64, extent: CrlExtent, entries: &[(Serial, RevocationReason)]) -> Vec<u8> {
        let authority = Authority::from_certificate(&self.issuing).unwrap();
        let is_delta = extent.base.is_some();
        let (this_update, next_update) = (NOW, NOW + Duration::from_hours(24));
        let request = CrlRequest { number, this_update, next_update, extent, entries: entries.len() };
        let mut builder = CrlBuilder::new(&authority, &request).unwrap();
        for (serial, reason) in entries {
            builder.add(CrlEntry { serial, revoked_at: NOW - Duration::from_mins(1), reason: *reason });
        }
        if is_delta {
            builder.remove(&Serial::from_magnitude(&[0x7f]).unwrap(), NOW);
        }
        self.runtime.block_on(builder.finish().sign(&*self.issuing_key.signer)).unwrap()
    }

    fn issue(&self, algorithm: KeyAlgorithm, names: &SubjectNames, usages: Vec<ExtendedKeyUsage>) -> String {
        let leaf_key = key(&self.runtime, algorithm);
        let request = LeafRequest {
            names: names.clone(),
            spki: leaf_key.signer.public_key().to_vec(),
            serial: Serial::random(&OsRng),
            not_before: NOW - Duration::from_mins(5),
            not_after: NOW + Duration::from_hours(24 * 90),
            extended_key_usages: usages.into_iter().collect(),
            must_staple: names.common_name.is_some(),
            policies: vec![],
            crl_urls: vec!["http://ca.example.com/issuing.crl".into()],
            ocsp_urls: vec!["http://ca.example.com/ocsp".into()],
            ca_issuer_urls: vec!["http://ca.example.com/issuing.cer".into()],
        };
        let authority = Authority::from_certificate(&self.issuing).unwrap();
        let unsigned = certificate::leaf(&request, &authority).unwrap();
        let der = self.runtime.block_on(unsigned.lint_and_sign(Scope::Always, &*self.issuing_key.signer)).unwrap();
        pem::encode("CERTIFICATE", &der)
    }
}

fn key(runtime: &tokio::runtime::Runtime, algorithm: KeyAlgorithm) -> GeneratedKey {
    let keys = SoftwareKeys::new(Arc::new(TokioSpawner));
    runtime.block_on(keys.generate(algorithm, &OsRng)).unwrap()
}

fn authority_request(common_name: &str, spki: &[u8]) -> AuthorityRequest {
    AuthorityRequest {
        subject: DistinguishedName {
            country: Some("DE".into()),
            organization: Some("Example".into()),
            common_name: common_name.into(),
        },
        spki: spki.to_vec(),
        serial: Serial::random(&OsRng),
        not_before: NOW - Duration::from_hours(24),
        not_after: NOW + Duration::from_hours(24 * 3650),
        path_length: None,
        crl_urls: vec![],
        ocsp_urls: vec![],
        ca_issuer_urls: vec![],
    }
}
