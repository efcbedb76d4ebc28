//! Content encryption: block ciphers in CBC mode with the padding of RFC 5652 §6.3.

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

use super::verify::Strength;
use super::{CmsError, Undecryptable, content, triple_des};
use crate::pki::tlv::{self, write};
use crate::pki::{algorithm, key};
use crate::ports::SecureRng;

/// How the content of an enveloped message is encrypted (RFC 3565 §4.1, RFC 3370 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentCipher {
    /// AES-128-CBC.
    Aes128Cbc,
    /// AES-192-CBC.
    Aes192Cbc,
    /// AES-256-CBC.
    Aes256Cbc,
    /// DES-EDE3-CBC, for those that know nothing newer.
    TripleDesCbc,
}

impl ContentCipher {
    const ALL: [Self; 4] = [Self::Aes128Cbc, Self::Aes192Cbc, Self::Aes256Cbc, Self::TripleDesCbc];

    const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Aes128Cbc => ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.2"),
            Self::Aes192Cbc => ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.22"),
            Self::Aes256Cbc => ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42"),
            Self::TripleDesCbc => ObjectIdentifier::new_unwrap("1.2.840.113549.3.7"),
        }
    }

    /// The algorithm in the library; `None` for triple DES, which it has not.
    fn algorithm(self) -> Option<&'static Algorithm> {
        match self {
            Self::Aes128Cbc => Some(&AES_128),
            Self::Aes192Cbc => Some(&AES_192),
            Self::Aes256Cbc => Some(&AES_256),
            Self::TripleDesCbc => None,
        }
    }

    /// Octets of its keys.
    pub(super) const fn key_octets(self) -> usize {
        match self {
            Self::Aes128Cbc => 16,
            Self::Aes192Cbc | Self::TripleDesCbc => 24,
            Self::Aes256Cbc => 32,
        }
    }

    /// Octets of its blocks and of its vectors.
    const fn block_octets(self) -> usize {
        if matches!(self, Self::TripleDesCbc) { 8 } else { 16 }
    }

    /// The AlgorithmIdentifier with its vector.
    pub(super) fn encode(self, vector: &[u8]) -> Vec<u8> {
        write(tlv::SEQUENCE, &[&content::oid(self.oid()), &write(tlv::OCTET_STRING, &[vector])])
    }

    /// The cipher and the vector that an AlgorithmIdentifier names.
    pub(super) fn read(identifier: &[u8], strength: Strength) -> Result<(Self, Vec<u8>), CmsError> {
        let what = "content encryption";
        let (found, parameters) = algorithm::parts(identifier).map_err(CmsError::damaged(what))?;
        let accepted = |cipher: &Self| *cipher != Self::TripleDesCbc || strength == Strength::Legacy;
        let cipher = Self::ALL.into_iter().find(|cipher| cipher.oid().as_bytes() == found).filter(accepted);
        let vector = parameters.filter(|vector| vector.tag == tlv::OCTET_STRING).map(|vector| vector.contents.to_vec());
        let both = cipher.zip(vector).filter(|(cipher, vector)| vector.len() == cipher.block_octets());
        both.ok_or_else(|| CmsError::Algorithm { what, oid: key::dotted(found), instead: "AES in CBC mode" })
    }

    /// A key and the content under it, with a new vector.
    pub(super) fn encrypt(self, content: &[u8], rng: &dyn SecureRng) -> Result<Encrypted, CmsError> {
        let mut key = Zeroizing::new(vec![0; self.key_octets()]);
        let mut vector = vec![0; self.block_octets()];
        rng.fill(&mut key);
        rng.fill(&mut vector);
        let octets = match self.algorithm() {
            Some(algorithm) => {
                let mut octets = content.to_vec();
                let start = EncryptionContext::Iv128(fixed(&vector).ok_or(CmsError::Backend)?);
                UnboundCipherKey::new(algorithm, &key)
                    .and_then(PaddedBlockEncryptingKey::cbc_pkcs7)
                    .and_then(|cipher| cipher.less_safe_encrypt(&mut octets, start))
                    .map_err(|_| CmsError::Backend)?;
                octets
            }
            None => triple_des::encrypt(&key, &vector, content).ok_or(CmsError::Backend)?,
        };
        Ok(Encrypted { key, vector, octets })
    }

    /// The content, without its padding.
    pub(super) fn decrypt(self, key: &[u8], vector: &[u8], octets: &[u8]) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
        let Some(algorithm) = self.algorithm() else {
            return triple_des::decrypt(key, vector, octets).ok_or(Undecryptable);
        };
        let mut content = Zeroizing::new(octets.to_vec());
        let start = DecryptionContext::Iv128(fixed(vector).ok_or(Undecryptable)?);
        let length = UnboundCipherKey::new(algorithm, key)
            .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
            .and_then(|cipher| cipher.decrypt(&mut content, start).map(|plain| plain.len()))
            .map_err(|_| Undecryptable)?;
        content.truncate(length);
        Ok(content)
    }
}

fn fixed(vector: &[u8]) -> Option<FixedLength<16>> {
    <[u8; 16]>::try_from(vector).ok().map(FixedLength::from)
}

/// A content under a key of its own.
pub(super) struct Encrypted {
    pub(super) key: Zeroizing<Vec<u8>>,
    pub(super) vector: Vec<u8>,
    pub(super) octets: Vec<u8>,
}
