//! CA keys in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::connector::{Authorities, Authority, AuthorityOrigin, AuthorityRequest, ConnectorError, Published};
use crate::domain::{AuthorityId, Chain, Serial};
use crate::pki::{certificate, key, private_key};
use crate::ports::{Ports, Signer};

/// How long before now a root begins.
const BACKDATE: Duration = Duration::from_mins(5);

/// Keeps CA keys in memory. Clones share them, so an issuer that is built again finds its CA again.
#[derive(Clone)]
pub struct MemoryAuthorities {
    ports: Ports,
    shared: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    kept: BTreeMap<String, Kept>,
    made: u32,
    failures: VecDeque<ConnectorError>,
    published: Published,
}

#[derive(Clone)]
struct Kept {
    id: AuthorityId,
    chain: Chain,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl MemoryAuthorities {
    /// None yet; keys and moments come from these ports.
    pub fn new(ports: Ports) -> Self {
        Self { ports, shared: Arc::default() }
    }

    /// The next call fails like this.
    pub fn fail_next(&self, error: ConnectorError) {
        self.state().failures.push_back(error);
    }

    /// What is opened from now on is published there.
    pub fn publish(&self, published: Published) {
        self.state().published = published;
    }

    /// How many authorities were made or taken in so far.
    pub fn made(&self) -> u32 {
        self.state().made
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make(&self, origin: &AuthorityOrigin) -> Result<Kept, ConnectorError> {
        let ports = &self.ports;
        let (chain, pkcs8) = match origin {
            AuthorityOrigin::SelfSigned { common_name, algorithm, validity } => {
                let key = ports.keys.generate(*algorithm, &*ports.rng).await.map_err(permanent)?;
                let now = ports.clock.now();
                let request = certificate::AuthorityRequest {
                    subject: certificate::DistinguishedName { common_name: common_name.clone(), ..Default::default() },
                    spki: key.signer.public_key().to_vec(),
                    serial: Serial::random(&*ports.rng),
                    not_before: now - BACKDATE,
                    not_after: now + *validity,
                    path_length: None,
                    crl_urls: Vec::new(),
                    ocsp_urls: Vec::new(),
                    ca_issuer_urls: Vec::new(),
                };
                let unsigned = certificate::root(&request).map_err(permanent)?;
                let root = unsigned.sign(&*key.signer).await.map_err(permanent)?;
                (Chain::from_der(vec![root]).map_err(permanent)?, key.pkcs8)
            }
            AuthorityOrigin::Provided { chain_pem, key_pem } => {
                let chain = Chain::from_pem(chain_pem).map_err(permanent)?;
                (chain, private_key::from_pem(key_pem.expose()).map_err(permanent)?)
            }
            AuthorityOrigin::Intermediate { .. } => {
                return Err(ConnectorError::permanent("there is no such intermediate CA"));
            }
        };
        Ok(Kept { id: AuthorityId::generate(&*ports.clock, &*ports.rng), chain, pkcs8 })
    }

    async fn opened(&self, kept: Kept) -> Result<Authority, ConnectorError> {
        let signer = self.ports.keys.open(&kept.pkcs8).await.map_err(permanent)?;
        belongs_together(&kept.chain, &*signer)?;
        let published = self.state().published.clone();
        Ok(Authority { id: kept.id, chain: kept.chain, signer, published })
    }
}

#[async_trait]
impl Authorities for MemoryAuthorities {
    async fn open(&self, request: &AuthorityRequest) -> Result<Authority, ConnectorError> {
        let failure = self.state().failures.pop_front();
        if let Some(failure) = failure {
            return Err(failure);
        }
        let kept = self.state().kept.get(&request.owner).filter(|kept| kept.serves(&request.origin)).cloned();
        if let Some(kept) = kept {
            return self.opened(kept).await;
        }
        let made = self.make(&request.origin).await?;
        let authority = self.opened(made.clone()).await?;
        let mut state = self.state();
        state.made += 1;
        state.kept.insert(request.owner.clone(), made);
        Ok(authority)
    }
}

impl Kept {
    /// One that was made here stays, whatever the request says about making one.
    fn serves(&self, origin: &AuthorityOrigin) -> bool {
        match origin {
            AuthorityOrigin::SelfSigned { .. } | AuthorityOrigin::Intermediate { .. } => true,
            AuthorityOrigin::Provided { chain_pem, .. } => {
                Chain::from_pem(chain_pem).is_ok_and(|chain| chain.leaf() == self.chain.leaf())
            }
        }
    }
}

fn belongs_together(chain: &Chain, signer: &dyn Signer) -> Result<(), ConnectorError> {
    let facts = certificate::parse(chain.leaf()).map_err(permanent)?;
    if key::are_same(&facts.spki, signer.public_key()) {
        return Ok(());
    }
    Err(ConnectorError::permanent("the key does not belong to the CA certificate"))
}

fn permanent(error: impl std::error::Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::permanent("the authority cannot be opened").because(error)
}

impl std::fmt::Debug for MemoryAuthorities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryAuthorities").field("owners", &self.state().kept.keys()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::KeyAlgorithm;
    use crate::testing::{FakePorts, TestKeys, block_on};

    #[test]
    fn an_owner_has_one_authority_and_a_failure_leaves_none() {
        let world = FakePorts::new(1, Arc::new(TestKeys));
        let authorities = MemoryAuthorities::new(world.ports());
        let open = |owner: &str| {
            let origin = AuthorityOrigin::SelfSigned {
                common_name: "Root".to_owned(),
                algorithm: KeyAlgorithm::EcdsaP256,
                validity: Duration::from_hours(24),
            };
            block_on(authorities.open(&AuthorityRequest { owner: owner.to_owned(), origin }))
        };
        authorities.fail_next(ConnectorError::transient("the store is away"));
        assert_eq!(open("a").unwrap_err().to_string(), "the store is away");
        assert_eq!(authorities.made(), 0);
        let (first, again, other) = (open("a").unwrap(), open("a").unwrap(), open("b").unwrap());
        assert_eq!((first.chain.fingerprint(), &first.id), (again.chain.fingerprint(), &again.id));
        assert_ne!(first.chain.fingerprint(), other.chain.fingerprint());
        assert_eq!(authorities.made(), 2);
    }
}
