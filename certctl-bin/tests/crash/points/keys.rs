//! Keys with points around their making, their opening and every signature.

use std::sync::Arc;

use async_trait::async_trait;
use certctl_core::domain::{KeyAlgorithm, SignatureAlgorithm};
use certctl_core::ports::{Decrypter, GeneratedKey, KeyError, Keys, SecureRng, Signer};

use super::Points;

pub(crate) struct PointedKeys {
    pub(crate) inner: Arc<dyn Keys>,
    pub(crate) points: Points,
}

impl PointedKeys {
    fn signer(&self, inner: Arc<dyn Signer>) -> Arc<dyn Signer> {
        Arc::new(PointedSigner { inner, points: self.points.clone() })
    }
}

#[async_trait]
impl Keys for PointedKeys {
    async fn generate(&self, algorithm: KeyAlgorithm, rng: &dyn SecureRng) -> Result<GeneratedKey, KeyError> {
        let key = self.points.around("key.generate", self.inner.generate(algorithm, rng)).await?;
        Ok(GeneratedKey { signer: self.signer(key.signer), pkcs8: key.pkcs8 })
    }
    async fn open(&self, pkcs8: &[u8]) -> Result<Arc<dyn Signer>, KeyError> {
        Ok(self.signer(self.points.around("key.open", self.inner.open(pkcs8)).await?))
    }
}

struct PointedSigner {
    inner: Arc<dyn Signer>,
    points: Points,
}

#[async_trait]
impl Signer for PointedSigner {
    fn public_key(&self) -> &[u8] {
        self.inner.public_key()
    }
    fn algorithm(&self) -> KeyAlgorithm {
        self.inner.algorithm()
    }
    fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.inner.signature_algorithm()
    }
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.points.around("key.sign", self.inner.sign(message)).await
    }
    fn decrypter(&self) -> Option<&dyn Decrypter> {
        self.inner.decrypter()
    }
}
