//! A certificate authority for tests.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::{Chain, ExtendedKeyUsage, KeyAlgorithm, Serial, SubjectNames, Timestamp, pem};
use crate::pki::certificate::{self, Authority, AuthorityRequest, DistinguishedName, LeafRequest};
use crate::ports::{GeneratedKey, Keys, Secret, SecureRng};

use super::{SeededRng, TestKeys};

/// A root with one intermediate, whose keys and serial numbers follow from a seed.
pub struct TestAuthority {
    rng: SeededRng,
    root: Vec<u8>,
    intermediate: Vec<u8>,
    key: GeneratedKey,
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct TestCertificate {
    /// Leaf, then intermediate.
    pub chain: Chain,
    /// PKCS#8 in PEM.
    pub key_pem: Secret,
}

const DAY: Duration = Duration::from_hours(24);

#[expect(clippy::expect_used, reason = "a test that cannot make its certificates cannot go on")]
impl TestAuthority {
    /// An authority that is valid from a day before `now` for ten years.
    ///
    /// # Panics
    /// When the certificates cannot be made.
    pub async fn new(seed: u64, now: Timestamp) -> Self {
        let rng = SeededRng::derive(seed, "test authority", 0);
        let (root_key, key) = (generate(&rng).await, generate(&rng).await);
        let request = |name: &str, spki: &[u8], years: u32| AuthorityRequest {
            subject: DistinguishedName { common_name: name.to_owned(), ..DistinguishedName::default() },
            spki: spki.to_vec(),
            serial: Serial::random(&rng),
            not_before: now - DAY,
            not_after: now + DAY * 365 * years,
            path_length: None,
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let root = certificate::root(&request("Test Root", root_key.signer.public_key(), 10)).expect("a root");
        let root = root.sign(&*root_key.signer).await.expect("a signature");
        let parent = Authority::from_certificate(&root).expect("a root that can sign");
        let intermediate = certificate::subordinate(&request("Test CA", key.signer.public_key(), 5), &parent);
        let intermediate = intermediate.expect("an intermediate").sign(&*root_key.signer).await.expect("a signature");
        Self { rng, root, intermediate, key }
    }

    /// The root, for those who are to trust it.
    pub fn root_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.root)
    }

    /// A certificate for servers and clients of these names, with a new key; the first name is the common name.
    ///
    /// # Panics
    /// When it cannot be made, such as for a name that is none.
    pub async fn issue(&self, names: &[&str], not_before: Timestamp, not_after: Timestamp) -> TestCertificate {
        let key = generate(&self.rng).await;
        let sans: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let request = LeafRequest {
            names: SubjectNames::new(names.first().copied().unwrap_or_default(), &sans).expect("names"),
            spki: key.signer.public_key().to_vec(),
            serial: Serial::random(&self.rng),
            not_before,
            not_after,
            extended_key_usages: BTreeSet::from([ExtendedKeyUsage::ServerAuth, ExtendedKeyUsage::ClientAuth]),
            must_staple: false,
            policies: Vec::new(),
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let authority = Authority::from_certificate(&self.intermediate).expect("an intermediate that can sign");
        let leaf = certificate::leaf(&request, &authority).expect("a leaf");
        let leaf = leaf.sign(&*self.key.signer).await.expect("a signature");
        let chain = Chain::from_der(vec![leaf, self.intermediate.clone()]).expect("a chain");
        TestCertificate { chain, key_pem: Secret::new(pem::encode("PRIVATE KEY", &key.pkcs8)) }
    }
}

#[expect(clippy::expect_used, reason = "a test that cannot make its keys cannot go on")]
async fn generate(rng: &dyn SecureRng) -> GeneratedKey {
    TestKeys.generate(KeyAlgorithm::EcdsaP256, rng).await.expect("a key")
}

impl std::fmt::Debug for TestAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestAuthority").finish_non_exhaustive()
    }
}
