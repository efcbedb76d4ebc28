//! CA certificates with their keys, kept by the engine for connectors that sign themselves.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{ConnectorError, Published};
use crate::domain::{AuthorityId, Chain, KeyAlgorithm};
use crate::ports::{Secret, Signer};

/// A CA certificate and the key to sign with.
#[derive(Clone)]
pub struct Authority {
    /// Its id; serial numbers are unique within it.
    pub id: AuthorityId,
    /// The CA certificate first, then those above it.
    pub chain: Chain,
    /// The key.
    pub signer: Arc<dyn Signer>,
    /// Where the world finds its revocation list, its OCSP responder and its certificate.
    pub published: Published,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Which authority is asked for.
#[derive(Clone, Debug)]
pub struct AuthorityRequest {
    /// Whose it is: the id of an issuer, or `system` for the control plane's own.
    pub owner: String,
    /// Where it comes from when there is none yet.
    pub origin: AuthorityOrigin,
}

/// Where an authority comes from.
#[derive(Clone, Debug)]
pub enum AuthorityOrigin {
    /// A self-signed root, made once.
    SelfSigned {
        /// The subject's common name.
        common_name: String,
        /// The key to make.
        algorithm: KeyAlgorithm,
        /// How long it is valid.
        validity: Duration,
    },
    /// A CA certificate and key that an operator has. The stored one is replaced when another certificate is given.
    Provided {
        /// PEM certificates: the CA first, then those above it.
        chain_pem: String,
        /// The PEM PKCS#8 key.
        key_pem: Secret,
    },
    /// An intermediate CA that was made below the CA of an issuer; it is the owner. It must be active, and nothing is made.
    Intermediate {
        /// The id of that issuer.
        issuer_id: String,
    },
}

/// Keeps authorities: made once, sealed at rest, the same after every restart.
#[async_trait]
pub trait Authorities: Send + Sync {
    /// Opens the owner's authority, making it first when there is none.
    async fn open(&self, request: &AuthorityRequest) -> Result<Authority, ConnectorError>;
}
