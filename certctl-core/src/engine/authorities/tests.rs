//! What is kept across restarts, and what never gets in.

use std::time::Duration;

use super::*;
use crate::domain::{KeyAlgorithm, SCHEMAS, pem};
use crate::pki::private_key;
use crate::ports::Secret;
use crate::seal::SealingKey;
use crate::storage::MemoryStorage;
use crate::testing::{FakePorts, MemoryAuthorities, block_on};

struct World {
    fakes: FakePorts,
    storage: Arc<dyn Storage>,
    key: SealingKey,
}

impl World {
    fn new() -> Self {
        let fakes = FakePorts::seeded(1);
        let storage = Arc::new(MemoryStorage::new(SCHEMAS, Arc::new(fakes.clock.clone())));
        Self { key: SealingKey::generate(&*fakes.rng), storage, fakes }
    }

    /// As an engine that has just started.
    fn open(&self, origin: AuthorityOrigin) -> Result<Authority, ConnectorError> {
        let sealer = Sealer::new(&self.key, Arc::clone(&self.fakes.rng) as _).unwrap();
        let authorities = StoredAuthorities::new(Arc::clone(&self.storage), self.fakes.ports(), sealer, None);
        block_on(authorities.open(&AuthorityRequest { owner: "iss-1".to_owned(), origin }))
    }

    /// A CA certificate and its key, in PEM.
    fn ca(&self) -> (String, Secret) {
        let key = block_on(self.fakes.keys.generate(KeyAlgorithm::EcdsaP256, &*self.fakes.rng)).unwrap();
        let request = pki::certificate::AuthorityRequest {
            subject: DistinguishedName { common_name: "Given".to_owned(), ..DistinguishedName::default() },
            spki: key.signer.public_key().to_vec(),
            serial: Serial::random(&*self.fakes.rng),
            not_before: crate::testing::ManualClock::START,
            not_after: crate::testing::ManualClock::START + Duration::from_hours(24),
            path_length: None,
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let der = block_on(pki::certificate::root(&request).unwrap().sign(&*key.signer)).unwrap();
        (pem::encode("CERTIFICATE", &der), Secret::new(private_key::to_pem(&key.pkcs8).as_str()))
    }
}

fn own_root() -> AuthorityOrigin {
    let validity = Duration::from_hours(24);
    AuthorityOrigin::SelfSigned { common_name: "Root".to_owned(), algorithm: KeyAlgorithm::EcdsaP256, validity }
}

fn given((chain_pem, key_pem): &(String, Secret)) -> AuthorityOrigin {
    AuthorityOrigin::Provided { chain_pem: chain_pem.clone(), key_pem: key_pem.clone() }
}

#[test]
fn a_root_is_the_same_after_a_restart() {
    let world = World::new();
    let (first, again) = (world.open(own_root()).unwrap(), world.open(own_root()).unwrap());
    assert_eq!((&first.id, &first.chain), (&again.id, &again.chain));
    assert_eq!(first.signer.public_key(), again.signer.public_key());
}

#[test]
fn a_given_ca_replaces_what_was_there() {
    let world = World::new();
    let root = world.open(own_root()).unwrap();
    let (one, two) = (world.ca(), world.ca());
    let given_one = world.open(given(&one)).unwrap();
    assert_eq!(given_one.chain.to_pem(), one.0);
    assert_eq!(world.open(given(&one)).unwrap().id, given_one.id);
    let given_two = world.open(given(&two)).unwrap();
    assert_eq!(given_two.chain.to_pem(), two.0);
    assert!(given_two.id != given_one.id && given_one.id != root.id);
}

#[test]
fn the_key_of_another_ca_is_not_stored() {
    let world = World::new();
    let (right, wrong) = (world.ca(), world.ca());
    let mixed = (right.0.clone(), wrong.1);
    assert!(!world.open(given(&mixed)).unwrap_err().kind.is_retryable());
    // Nothing of it stays in the way of the right key.
    assert_eq!(world.open(given(&right)).unwrap().chain.to_pem(), right.0);
}

#[test]
fn the_fake_keeps_the_same_promises() {
    let world = World::new();
    let authorities = MemoryAuthorities::new(world.fakes.ports());
    let open = |origin| block_on(authorities.open(&AuthorityRequest { owner: "iss-1".to_owned(), origin }));
    let (right, wrong) = (world.ca(), world.ca());
    let root = open(own_root()).unwrap();
    assert_eq!(open(own_root()).unwrap().id, root.id);
    assert!(open(given(&(right.0.clone(), wrong.1))).is_err());
    let replaced = open(given(&right)).unwrap();
    assert!(replaced.id != root.id && replaced.chain.to_pem() == right.0);
}
