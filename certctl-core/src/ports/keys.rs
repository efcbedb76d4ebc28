//! Private keys.

use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::domain::{KeyAlgorithm, SignatureAlgorithm};
use crate::ports::SecureRng;

/// A private key operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The backend cannot make or use such keys.
    #[error("this key backend does not do {0}")]
    Unsupported(String),
    /// The bytes are no private key of a known kind.
    #[error("not a usable PKCS#8 private key: {0}")]
    Malformed(String),
    /// The backend failed.
    #[error("the key backend failed: {0}")]
    Backend(String),
}

/// One private key. It may live in a process, a file, an HSM or a cloud.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The public half: DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    fn public_key(&self) -> &[u8];
    /// What kind of key it is.
    fn algorithm(&self) -> KeyAlgorithm;
    /// What [`sign`](Self::sign) makes: ECDSA with the curve's hash, RSA PKCS#1 v1.5 with SHA-256, or Ed25519.
    fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm().signature_algorithm()
    }
    /// Signs a message (not a digest). The answer is the contents of the X.509 signature BIT STRING.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError>;
    /// The role of keys to which others encrypt: RSA keys of backends that decrypt. `None` for all others.
    fn decrypter(&self) -> Option<&dyn Decrypter> {
        None
    }
}

/// How a short secret is encrypted to an RSA key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTransport {
    /// RSAES-PKCS1-v1_5 (RFC 8017 §7.2).
    Pkcs1,
    /// RSAES-OAEP (RFC 8017 §7.1) with SHA-1 and MGF1 with SHA-1: the defaults, whose security does not rest on collisions.
    OaepSha1,
    /// RSAES-OAEP with SHA-256 and MGF1 with SHA-256.
    OaepSha256,
}

/// A private key that decrypts what was encrypted to it.
#[async_trait]
pub trait Decrypter: Send + Sync {
    /// Decrypts, and removes the padding.
    ///
    /// # Errors
    /// [`KeyError`], also for wrong padding. With [`KeyTransport::Pkcs1`] a caller must not let anybody who chose the ciphertext
    /// learn whether this failed, not even by the time that the answer takes (RFC 3218 §2.3.2): go on with a random secret.
    async fn decrypt(&self, transport: KeyTransport, encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError>;
}

/// A maker and opener of private keys.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Makes a key. With `rng` the implementation may derive it, which test backends do.
    async fn generate(&self, algorithm: KeyAlgorithm, rng: &dyn SecureRng) -> Result<GeneratedKey, KeyError>;
    /// Opens a DER PKCS#8 private key (RFC 5958).
    async fn open(&self, pkcs8: &[u8]) -> Result<Arc<dyn Signer>, KeyError>;
}

/// A new key: ready to sign, and in a form that can be stored.
#[derive(Clone)]
pub struct GeneratedKey {
    /// The key at work.
    pub signer: Arc<dyn Signer>,
    /// DER PKCS#8 (RFC 5958), wiped when dropped. Seal it before it reaches a store.
    pub pkcs8: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for GeneratedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GeneratedKey").field("algorithm", &self.signer.algorithm()).finish_non_exhaustive()
    }
}
