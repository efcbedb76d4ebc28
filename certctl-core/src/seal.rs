//! Secrets at rest: AES-256-GCM with a random nonce, bound to the record and the purpose (requirements D5).
//!
//! Envelope: one byte of version, eight bytes of key id, twelve bytes of nonce, ciphertext with its 16-byte tag. The
//! record's id and the purpose are authenticated with it, so a value moved to another row does not open.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, pbkdf2};
use zeroize::Zeroizing;

use crate::ports::{Secret, SecureRng};

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 8;
const HEADER_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;
/// OWASP's figure of 2023 for PBKDF2-HMAC-SHA256; paid once at start.
const ITERATIONS: std::num::NonZeroU32 = std::num::NonZeroU32::new(600_000).unwrap();

/// A sealed value does not open, or one could not be sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// It was sealed with another key.
    #[error(
        "the value was sealed with key {sealed}, this engine has key {ours}; start it with the key that sealed the store"
    )]
    WrongKey {
        /// The id of the key that sealed it.
        sealed: String,
        /// The id of the key at hand.
        ours: String,
    },
    /// It was changed, cut short, or belongs to another record.
    #[error("the sealed value was changed or belongs to another record")]
    Tampered,
    /// The key is not 32 bytes, or the cipher failed.
    #[error("the sealing key must be 32 bytes")]
    BadKey,
}

/// The key that seals, 32 bytes.
#[derive(Clone)]
pub struct SealingKey(Zeroizing<[u8; 32]>);

impl SealingKey {
    /// A key from 32 random bytes, such as those of `DIR/sealing.key`.
    ///
    /// # Errors
    /// [`SealError::BadKey`] for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        Ok(Self(Zeroizing::new(bytes.try_into().map_err(|_| SealError::BadKey)?)))
    }

    /// A key from a passphrase and the store's salt, by PBKDF2-HMAC-SHA256 (RFC 8018). Slow on purpose.
    pub fn derive(passphrase: &Secret, salt: &[u8]) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, salt, passphrase.expose().as_bytes(), &mut *key);
        Self(key)
    }

    /// A new random key.
    pub fn generate(rng: &dyn SecureRng) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill(&mut *key);
        Self(key)
    }

    /// The bytes, to be stored where only this program reads them.
    pub fn expose(&self) -> &[u8] {
        &*self.0
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(********)")
    }
}

/// Seals and opens.
#[derive(Clone)]
pub struct Sealer {
    key: Arc<LessSafeKey>,
    id: [u8; KEY_ID_LEN],
    rng: Arc<dyn SecureRng>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

impl Sealer {
    /// A sealer with this key.
    ///
    /// # Errors
    /// [`SealError::BadKey`] when the cipher refuses it.
    pub fn new(key: &SealingKey, rng: Arc<dyn SecureRng>) -> Result<Self, SealError> {
        let unbound = UnboundKey::new(&AES_256_GCM, key.expose()).map_err(|_| SealError::BadKey)?;
        let mut named = b"certctl sealing key id\0".to_vec();
        named.extend_from_slice(key.expose());
        let digest = digest::digest(&digest::SHA256, &named);
        zeroize::Zeroize::zeroize(&mut named);
        let mut id = [0; KEY_ID_LEN];
        id.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Ok(Self { key: Arc::new(LessSafeKey::new(unbound)), id, rng })
    }

    /// The key's id, in hex: tells keys apart without telling the key.
    pub fn key_id(&self) -> String {
        hex::encode(self.id)
    }

    /// Seals a value for one record and purpose.
    ///
    /// # Errors
    /// [`SealError::BadKey`] when the cipher fails, which takes more than 2^36 bytes.
    pub fn seal(&self, purpose: &str, record: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        self.rng.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(HEADER_LEN + plain.len() + 16);
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(&nonce);
        let mut body = plain.to_vec();
        let aad = Aad::from(additional_data(purpose, record));
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
            .map_err(|_| SealError::BadKey)?;
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what was sealed for this record and purpose.
    ///
    /// # Errors
    /// [`SealError::WrongKey`] and [`SealError::Tampered`].
    pub fn open(&self, purpose: &str, record: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (header, body) = sealed.split_at_checked(HEADER_LEN).ok_or(SealError::Tampered)?;
        let (version, rest) = header.split_first().ok_or(SealError::Tampered)?;
        let (id, nonce) = rest.split_at_checked(KEY_ID_LEN).ok_or(SealError::Tampered)?;
        if *version != VERSION {
            return Err(SealError::Tampered);
        }
        if id != self.id {
            return Err(SealError::WrongKey { sealed: hex::encode(id), ours: self.key_id() });
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Tampered)?;
        let mut body = Zeroizing::new(body.to_vec());
        let aad = Aad::from(additional_data(purpose, record));
        let length = self.key.open_in_place(nonce, aad, &mut body).map_err(|_| SealError::Tampered)?.len();
        body.truncate(length);
        Ok(body)
    }
}

/// Length-prefixed, so that no two pairs of purpose and record read alike.
fn additional_data(purpose: &str, record: &str) -> Vec<u8> {
    let mut data = Vec::with_capacity(purpose.len() + record.len() + 4);
    data.extend_from_slice(&u32::try_from(purpose.len()).unwrap_or(u32::MAX).to_be_bytes());
    data.extend_from_slice(purpose.as_bytes());
    data.extend_from_slice(record.as_bytes());
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(std::sync::Mutex<u8>);
    impl SecureRng for Counting {
        fn fill(&self, out: &mut [u8]) {
            let mut next = self.0.lock().unwrap();
            for byte in out {
                *byte = *next;
                *next = next.wrapping_add(1);
            }
        }
    }
    fn sealer(byte: u8) -> Sealer {
        Sealer::new(&SealingKey::from_bytes(&[byte; 32]).unwrap(), Arc::new(Counting(std::sync::Mutex::new(0))))
            .unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_record_alone() {
        let ours = sealer(1);
        let sealed = ours.seal("issuer-config", "iss-a", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(ours.open("issuer-config", "iss-a", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(ours.open("issuer-config", "iss-b", &sealed), Err(SealError::Tampered));
        assert_eq!(ours.open("target-config", "iss-a", &sealed), Err(SealError::Tampered));
    }

    #[test]
    fn another_key_is_named_and_every_change_is_noticed() {
        let sealed = sealer(1).seal("p", "r", b"secret").unwrap();
        assert!(matches!(sealer(2).open("p", "r", &sealed), Err(SealError::WrongKey { .. })));
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(sealer(1).open("p", "r", &changed).is_err(), "byte {position}");
        }
        assert!(sealer(1).open("p", "r", &sealed[..20]).is_err());
    }
}
