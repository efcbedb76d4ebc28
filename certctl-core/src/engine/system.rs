//! The control plane's own authority: no issuer, not selectable, so that nobody who may enrol elsewhere can obtain a
//! certificate that agents accept as the server's.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Engine;
use crate::connector::{Authorities, Authority, AuthorityOrigin, AuthorityRequest};
use crate::domain::{Chain, Csr, ExtendedKeyUsage, Fingerprint, KeyAlgorithm, Serial, Timestamp};
use crate::error::{Error, ErrorKind};
use crate::pki;
use crate::pki::lint::Scope;
use crate::storage::View;

/// What agents trust.
#[derive(Clone, Debug)]
pub struct AgentTrust {
    /// The root, PEM: what `DIR/ca.pem` holds.
    pub root_pem: String,
    /// SHA-256 of the root's certificate, for pinning.
    pub fingerprint: Fingerprint,
}

/// The server's certificate.
#[derive(Clone, Debug)]
pub struct ServerIdentity {
    /// Leaf first.
    pub chain: Chain,
    /// When to ask for the next: at two thirds of its life.
    pub renew_at: Timestamp,
}

/// Whose authority it is; no issuer and no intermediate CA has this id.
pub(crate) const OWNER: &str = "system";
const ROOT_VALIDITY: Duration = Duration::from_secs(10 * 365 * 86_400);
const SERVER_VALIDITY: Duration = Duration::from_secs(30 * 86_400);
const BACKDATE: Duration = Duration::from_secs(300);

impl Engine {
    /// The root that agents and clients trust.
    ///
    /// # Errors
    /// The store's.
    pub async fn agent_trust(&self) -> Result<AgentTrust, Error> {
        let authority = self.system_authority().await?;
        Ok(AgentTrust { root_pem: authority.chain.to_pem(), fingerprint: authority.chain.fingerprint() })
    }

    /// Certifies the server's own key for 30 days. Only whoever holds the engine can call this: no route leads here.
    ///
    /// # Errors
    /// A request that cannot be certified; the store's.
    pub async fn certify_server(&self, csr: &Csr) -> Result<ServerIdentity, Error> {
        let authority = self.system_authority().await?;
        let now = self.storage().read(View::Latest).await?.now();
        let request = pki::certificate::LeafRequest {
            names: csr.names().clone(),
            spki: csr.spki().to_vec(),
            serial: Serial::random(&*self.ports().rng),
            not_before: now - BACKDATE,
            not_after: now + SERVER_VALIDITY,
            extended_key_usages: BTreeSet::from([ExtendedKeyUsage::ServerAuth]),
            must_staple: false,
            policies: Vec::new(),
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let parent = pki::certificate::Authority::from_certificate(authority.chain.leaf()).map_err(Error::internal)?;
        let unsigned = pki::certificate::leaf(&request, &parent)
            .map_err(|error| Error::new(ErrorKind::Invalid, "bad_server_names", error.to_string()).because(error))?;
        let leaf = unsigned
            .lint_and_sign(Scope::Always, &*authority.signer)
            .await
            .map_err(|error| Error::new(ErrorKind::Invalid, "bad_server_names", error.to_string()).because(error))?;
        let chain = Chain::from_der(vec![leaf]).map_err(Error::internal)?;
        Ok(ServerIdentity { chain, renew_at: now + SERVER_VALIDITY * 2 / 3 })
    }

    async fn system_authority(&self) -> Result<Authority, Error> {
        let origin = AuthorityOrigin::SelfSigned {
            common_name: "certctl control plane".into(),
            algorithm: KeyAlgorithm::EcdsaP256,
            validity: ROOT_VALIDITY,
        };
        self.0.authorities.open(&AuthorityRequest { owner: OWNER.into(), origin }).await.map_err(Error::internal)
    }
}
