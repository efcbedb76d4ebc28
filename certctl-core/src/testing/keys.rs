//! Deterministic keys: the same random stream makes the same keys, and the same message the same signature.

use std::sync::Arc;

use async_trait::async_trait;
use pkcs8::spki::EncodePublicKey;
use pkcs8::{DecodePrivateKey, EncodePrivateKey};
use rand::SeedableRng;
use rand::rngs::StdRng;
use signature::{SignatureEncoding, Signer as _};
use zeroize::Zeroizing;

use crate::domain::KeyAlgorithm;
use crate::pki::private_key;
use crate::ports::{Decrypter, GeneratedKey, KeyError, KeyTransport, Keys, SecureRng, Signer};

/// Keys made of the random stream that is passed in, signing as RFC 6979 and RFC 8032 say. For tests only.
///
/// RSA keys take seconds to make in debug builds; tests that need one should make it once.
#[derive(Clone, Copy, Debug, Default)]
pub struct TestKeys;

enum Secret {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
    Rsa(Box<(rsa::pkcs1v15::SigningKey<sha2::Sha256>, rsa::PrivateKey)>),
}

struct TestSigner {
    secret: Secret,
    algorithm: KeyAlgorithm,
    spki: Vec<u8>,
}

#[async_trait]
impl Keys for TestKeys {
    async fn generate(&self, algorithm: KeyAlgorithm, rng: &dyn SecureRng) -> Result<GeneratedKey, KeyError> {
        let pkcs8 = pkcs8_of(algorithm, rng)?;
        Ok(GeneratedKey { signer: self.open(&pkcs8).await?, pkcs8 })
    }

    async fn open(&self, pkcs8: &[u8]) -> Result<Arc<dyn Signer>, KeyError> {
        let algorithm = private_key::algorithm(pkcs8).map_err(|error| KeyError::Malformed(error.to_string()))?;
        let secret = match algorithm {
            KeyAlgorithm::EcdsaP256 => Secret::P256(DecodePrivateKey::from_pkcs8_der(pkcs8).map_err(malformed)?),
            KeyAlgorithm::EcdsaP384 => Secret::P384(DecodePrivateKey::from_pkcs8_der(pkcs8).map_err(malformed)?),
            KeyAlgorithm::Ed25519 => Secret::Ed25519(DecodePrivateKey::from_pkcs8_der(pkcs8).map_err(malformed)?),
            KeyAlgorithm::Rsa { .. } => {
                let key = rsa::PrivateKey::from_pkcs8_der(pkcs8).map_err(malformed)?;
                Secret::Rsa(Box::new((rsa::pkcs1v15::SigningKey::new(key.clone()), key)))
            }
        };
        let spki = secret.spki()?;
        Ok(Arc::new(TestSigner { secret, algorithm, spki }))
    }
}

#[async_trait]
impl Signer for TestSigner {
    fn public_key(&self) -> &[u8] {
        &self.spki
    }

    fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.secret {
            Secret::P256(key) => key.try_sign(message).map(|s: p256::ecdsa::DerSignature| s.to_vec()),
            Secret::P384(key) => key.try_sign(message).map(|s: p384::ecdsa::DerSignature| s.to_vec()),
            Secret::Ed25519(key) => key.try_sign(message).map(|s| s.to_vec()),
            Secret::Rsa(key) => key.0.try_sign(message).map(|s| s.to_vec()),
        }
        .map_err(|error| KeyError::Backend(error.to_string()))
    }

    fn decrypter(&self) -> Option<&dyn Decrypter> {
        matches!(self.secret, Secret::Rsa(_)).then_some(self as &dyn Decrypter)
    }
}

#[async_trait]
impl Decrypter for TestSigner {
    async fn decrypt(&self, transport: KeyTransport, encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let Secret::Rsa(key) = &self.secret else {
            return Err(KeyError::Unsupported(format!("decryption with {}", self.algorithm)));
        };
        let secret = match transport {
            KeyTransport::Pkcs1 => key.1.decrypt(rsa::Pkcs1v15Encrypt, encrypted),
            KeyTransport::OaepSha1 => key.1.decrypt(rsa::oaep::Oaep::<sha1::Sha1>::new(), encrypted),
            KeyTransport::OaepSha256 => key.1.decrypt(rsa::oaep::Oaep::<sha2::Sha256>::new(), encrypted),
        };
        secret.map(Zeroizing::new).map_err(|error| KeyError::Backend(error.to_string()))
    }
}

impl Secret {
    fn spki(&self) -> Result<Vec<u8>, KeyError> {
        use signature::Keypair;
        let document = match self {
            Self::P256(key) => key.verifying_key().to_public_key_der(),
            Self::P384(key) => key.verifying_key().to_public_key_der(),
            Self::Ed25519(key) => key.verifying_key().to_public_key_der(),
            Self::Rsa(key) => key.0.verifying_key().to_public_key_der(),
        };
        document.map(|document| document.as_bytes().to_vec()).map_err(|error| KeyError::Backend(error.to_string()))
    }
}

fn pkcs8_of(algorithm: KeyAlgorithm, rng: &dyn SecureRng) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let document = match algorithm {
        KeyAlgorithm::EcdsaP256 => {
            drawn::<32, _>(rng, |seed| p256::ecdsa::SigningKey::from_slice(seed).ok()).to_pkcs8_der()
        }
        KeyAlgorithm::EcdsaP384 => {
            drawn::<48, _>(rng, |seed| p384::ecdsa::SigningKey::from_slice(seed).ok()).to_pkcs8_der()
        }
        KeyAlgorithm::Ed25519 => {
            drawn::<32, _>(rng, |seed| Some(ed25519_dalek::SigningKey::from_bytes(seed))).to_pkcs8_der()
        }
        KeyAlgorithm::Rsa { bits: bits @ (2048 | 3072 | 4096) } => {
            let mut stream = drawn::<32, _>(rng, |seed| Some(StdRng::from_seed(*seed)));
            rsa::PrivateKey::new(&mut stream, usize::from(bits))
                .map_err(|error| KeyError::Backend(error.to_string()))?
                .to_pkcs8_der()
        }
        KeyAlgorithm::Rsa { .. } => return Err(KeyError::Unsupported(algorithm.to_string())),
    };
    document.map(|document| document.to_bytes()).map_err(|error| KeyError::Backend(error.to_string()))
}

/// Draws seeds until one is a key: almost always the first.
fn drawn<const LENGTH: usize, K>(rng: &dyn SecureRng, key: impl Fn(&[u8; LENGTH]) -> Option<K>) -> K {
    loop {
        let mut seed = [0; LENGTH];
        rng.fill(&mut seed);
        if let Some(key) = key(&seed) {
            return key;
        }
    }
}

fn malformed(error: pkcs8::Error) -> KeyError {
    KeyError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::verify;
    use crate::testing::{SeededRng, block_on};

    #[test]
    fn a_seed_makes_a_key_and_a_signature_that_verify_and_repeat() {
        let every =
            [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa { bits: 2048 }];
        for algorithm in every {
            let sign = |seed| {
                let key = block_on(TestKeys.generate(algorithm, &SeededRng::new(seed))).unwrap();
                let signature = block_on(key.signer.sign(b"message")).unwrap();
                (key.signer, signature, key.pkcs8)
            };
            let (signer, signature, pkcs8) = sign(1);
            let verifies = |message: &[u8]| {
                verify::signature(signer.public_key(), signer.signature_algorithm(), message, &signature)
            };
            assert!(verifies(b"message") && !verifies(b"massage"), "{algorithm}");
            assert_eq!(private_key::algorithm(&pkcs8), Ok(algorithm));
            assert_eq!(sign(1).1, signature, "{algorithm}");
            assert_ne!(sign(2).1, signature, "{algorithm}");
        }
    }
}
