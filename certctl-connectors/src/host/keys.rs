//! Private keys in this process, by aws-lc-rs.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, Pkcs1PrivateDecryptingKey,
    PrivateDecryptingKey,
};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use certctl_core::domain::KeyAlgorithm;
use certctl_core::pki::private_key;
use certctl_core::ports::{Decrypter, GeneratedKey, KeyError, KeyTransport, Keys, SecureRng, Signer, Spawner};
use zeroize::Zeroizing;

/// Makes and opens keys that live in this process: ECDSA on P-256 and P-384, Ed25519, RSA of 2048, 3072 and 4096 bits.
///
/// Keys are made of aws-lc's own generator, which the operating system seeds; the random source that is passed in is not
/// used. Making an RSA key takes up to seconds, so it runs away from the event loop; everything else takes less than a few
/// milliseconds and runs in place.
#[derive(Clone)]
pub struct SoftwareKeys {
    spawner: Arc<dyn Spawner>,
}

impl SoftwareKeys {
    /// Keys whose slow work runs on this spawner.
    pub fn new(spawner: Arc<dyn Spawner>) -> Self {
        Self { spawner }
    }
}

impl std::fmt::Debug for SoftwareKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoftwareKeys").finish_non_exhaustive()
    }
}

#[async_trait]
impl Keys for SoftwareKeys {
    async fn generate(&self, algorithm: KeyAlgorithm, _rng: &dyn SecureRng) -> Result<GeneratedKey, KeyError> {
        let pkcs8 = match algorithm {
            KeyAlgorithm::EcdsaP256 => ecdsa_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING),
            KeyAlgorithm::EcdsaP384 => ecdsa_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING),
            KeyAlgorithm::Ed25519 => ed25519_pkcs8(),
            KeyAlgorithm::Rsa { bits } => self.rsa_pkcs8(bits).await,
        }?;
        Ok(GeneratedKey { signer: self.open(&pkcs8).await?, pkcs8 })
    }

    async fn open(&self, pkcs8: &[u8]) -> Result<Arc<dyn Signer>, KeyError> {
        let algorithm = private_key::algorithm(pkcs8).map_err(|error| KeyError::Malformed(error.to_string()))?;
        let pair = match algorithm {
            KeyAlgorithm::EcdsaP256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8),
            KeyAlgorithm::EcdsaP384 => ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING, pkcs8),
            KeyAlgorithm::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map(Pair::Ed25519),
            KeyAlgorithm::Rsa { bits: 2048..=8192 } => rsa(pkcs8),
            KeyAlgorithm::Rsa { .. } => return Err(KeyError::Unsupported(algorithm.to_string())),
        };
        let pair = pair.map_err(|rejected: KeyRejected| KeyError::Malformed(rejected.to_string()))?;
        let spki = pair.spki()?;
        Ok(Arc::new(SoftwareKey { pair, algorithm, spki }))
    }
}

impl SoftwareKeys {
    async fn rsa_pkcs8(&self, bits: u16) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            _ => return Err(KeyError::Unsupported(format!("RSA {bits}; take 2048, 3072 or 4096 bits"))),
        };
        let slot = Arc::new(Mutex::new(None));
        let filled = Arc::clone(&slot);
        let work = Box::new(move || {
            let made = RsaKeyPair::generate(size).and_then(|pair| AsDer::<Pkcs8V1Der<'_>>::as_der(&pair));
            let made = made.map(|der| Zeroizing::new(der.as_ref().to_vec())).map_err(backend);
            *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        });
        self.spawner.blocking(work).await;
        let made = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        made.unwrap_or_else(|| Err(KeyError::Backend("making the RSA key did not end".to_owned())))
    }
}

fn ecdsa_pkcs8(algorithm: &'static EcdsaSigningAlgorithm) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).map_err(backend)?;
    Ok(Zeroizing::new(document.as_ref().to_vec()))
}

fn ed25519_pkcs8() -> Result<Zeroizing<Vec<u8>>, KeyError> {
    // Version 1 without the public key (RFC 5958 §2), because older tools do not read version 2.
    let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).map_err(backend)?;
    Ok(Zeroizing::new(document.as_ref().to_vec()))
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm, pkcs8: &[u8]) -> Result<Pair, KeyRejected> {
    // Unlike `from_pkcs8` this accepts keys that do not carry their public half (RFC 5915 §3).
    EcdsaKeyPair::from_private_key_der(algorithm, pkcs8).map(Pair::Ecdsa)
}

fn rsa(pkcs8: &[u8]) -> Result<Pair, KeyRejected> {
    Ok(Pair::Rsa(RsaKeyPair::from_pkcs8(pkcs8)?, PrivateDecryptingKey::from_pkcs8(pkcs8)?))
}

fn backend(_: Unspecified) -> KeyError {
    KeyError::Backend("aws-lc reports a failure and no reason".to_owned())
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, PrivateDecryptingKey),
}

impl Pair {
    fn spki(&self) -> Result<Vec<u8>, KeyError> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Ecdsa(pair) => pair.public_key().as_der(),
            Self::Ed25519(pair) => pair.public_key().as_der(),
            Self::Rsa(pair, _) => pair.public_key().as_der(),
        }
        .map_err(backend)?;
        Ok(der.as_ref().to_vec())
    }
}

struct SoftwareKey {
    pair: Pair,
    algorithm: KeyAlgorithm,
    spki: Vec<u8>,
}

#[async_trait]
impl Signer for SoftwareKey {
    fn public_key(&self) -> &[u8] {
        &self.spki
    }

    fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.pair {
            Pair::Ecdsa(pair) => {
                pair.sign(&SystemRandom::new(), message).map(|signature| signature.as_ref().to_vec()).map_err(backend)
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Rsa(pair, _) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(backend)?;
                Ok(signature)
            }
        }
    }

    fn decrypter(&self) -> Option<&dyn Decrypter> {
        matches!(self.pair, Pair::Rsa(..)).then_some(self as &dyn Decrypter)
    }
}

#[async_trait]
impl Decrypter for SoftwareKey {
    async fn decrypt(&self, transport: KeyTransport, encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let Pair::Rsa(_, key) = &self.pair else {
            return Err(KeyError::Unsupported(format!("decryption with {}", self.algorithm)));
        };
        let mut room = Zeroizing::new(vec![0; key.key_size_bytes()]);
        let oaep = |algorithm, room: &mut Vec<u8>| {
            let key = OaepPrivateDecryptingKey::new(key.clone())?;
            key.decrypt(algorithm, encrypted, room, None).map(|secret| secret.len())
        };
        let length = match transport {
            KeyTransport::Pkcs1 => {
                let key = Pkcs1PrivateDecryptingKey::new(key.clone()).map_err(backend)?;
                key.decrypt(encrypted, &mut room).map(|secret| secret.len())
            }
            KeyTransport::OaepSha1 => oaep(&OAEP_SHA1_MGF1SHA1, &mut room),
            KeyTransport::OaepSha256 => oaep(&OAEP_SHA256_MGF1SHA256, &mut room),
        };
        room.truncate(length.map_err(backend)?);
        Ok(room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use certctl_core::pki::verify;
    use certctl_core::testing::{SeededRng, TestKeys};

    use crate::host::TokioSpawner;

    const EVERY: [KeyAlgorithm; 4] =
        [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa { bits: 2048 }];

    async fn signs(signer: &dyn Signer) -> bool {
        let signature = signer.sign(b"message").await.unwrap();
        let check =
            |message: &[u8]| verify::signature(signer.public_key(), signer.signature_algorithm(), message, &signature);
        check(b"message") && !check(b"massage")
    }

    #[tokio::test]
    async fn every_kind_is_made_opened_and_signs() {
        let keys = SoftwareKeys::new(Arc::new(TokioSpawner));
        for algorithm in EVERY {
            let made = keys.generate(algorithm, &SeededRng::new(1)).await.unwrap();
            assert_eq!(made.signer.algorithm(), algorithm);
            assert!(signs(&*made.signer).await, "{algorithm}");
            let opened = keys.open(&made.pkcs8).await.unwrap();
            assert_eq!(opened.public_key(), made.signer.public_key(), "{algorithm}");
            assert!(signs(&*opened).await, "{algorithm}");
        }
    }

    #[tokio::test]
    async fn keys_of_another_maker_open_in_both_directions() {
        let keys = SoftwareKeys::new(Arc::new(TokioSpawner));
        let rng = SeededRng::new(2);
        for algorithm in EVERY {
            let theirs = TestKeys.generate(algorithm, &rng).await.unwrap();
            let opened = keys.open(&theirs.pkcs8).await.unwrap();
            assert_eq!(opened.public_key(), theirs.signer.public_key(), "{algorithm}");
            assert!(signs(&*opened).await, "{algorithm}");
            let ours = keys.generate(algorithm, &rng).await.unwrap();
            assert!(signs(&*TestKeys.open(&ours.pkcs8).await.unwrap()).await, "{algorithm}");
        }
    }

    #[tokio::test]
    async fn what_is_no_key_is_refused() {
        let keys = SoftwareKeys::new(Arc::new(TokioSpawner));
        assert!(matches!(keys.open(b"no key").await.err(), Some(KeyError::Malformed(_))));
        let odd = keys.generate(KeyAlgorithm::Rsa { bits: 1024 }, &SeededRng::new(3)).await.err();
        assert!(matches!(odd, Some(KeyError::Unsupported(_))));
        let mut cut = keys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(4)).await.unwrap().pkcs8;
        cut.truncate(40);
        assert!(keys.open(&cut).await.is_err());
    }
}
