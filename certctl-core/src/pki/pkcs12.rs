//! PKCS #12 (RFC 7292): trust stores, which hold certificates and no key.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::{digest, hmac, iv, pbkdf2};
use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

use super::tlv::{INTEGER, NULL, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, write};
use crate::ports::{Secret, SecureRng};

/// A certificate of a trust store.
#[derive(Clone, Copy, Debug)]
pub struct TrustedCertificate<'a> {
    /// The name by which programs list it; unique in the store, of characters of the Basic Multilingual Plane.
    pub alias: &'a str,
    /// The certificate.
    pub der: &'a [u8],
}

/// A trust store that cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustStoreError {
    /// RFC 7292 and PKCS #5 turn other characters into different octets, and programs do not agree on how to undo that.
    #[error(
        "the password holds characters other than printable ASCII, which programs read differently; choose another"
    )]
    Password,
    /// The backend failed.
    #[error("the trust store cannot be encrypted")]
    Cipher,
}

/// Rounds of both key derivations, as Java 17 does. What is kept here is public; the password guards against changes.
const ROUNDS: NonZeroU32 = NonZeroU32::new(10_000).unwrap();

/// `[0]`, constructed.
const CONTEXT_0: u8 = 0xa0;
/// `[0]` in place of an OCTET STRING.
const CONTEXT_0_OCTETS: u8 = 0x80;
const BMP_STRING: u8 = 0x1e;

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
const HMAC_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
const AES256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const CERT_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const X509_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");
const FRIENDLY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.20");
/// Java reads certificates without this attribute of Oracle's as no entries at all.
const TRUSTED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113894.746875.1.1");
const ANY_EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

/// A trust store: AES-256-CBC under PBKDF2 with HMAC-SHA-256 (RFC 8018 §6.2), and a MAC with HMAC-SHA-256 (RFC 7292 §4).
/// The password may be empty.
///
/// # Errors
/// [`TrustStoreError`] for a password that programs would not read alike, or when the backend fails.
pub fn trust_store(
    certificates: &[TrustedCertificate<'_>],
    password: &Secret,
    rng: &dyn SecureRng,
) -> Result<Vec<u8>, TrustStoreError> {
    let password = password.expose();
    if !password.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(TrustStoreError::Password);
    }
    let bags: Vec<u8> = certificates.iter().flat_map(bag).collect();
    let safe = sequence(&[&encrypted(&sequence(&[&bags]), password, rng)?]);
    let mac = mac(&safe, password, rng);
    let content = sequence(&[&oid(DATA), &write(CONTEXT_0, &[&octets(&safe)])]);
    Ok(sequence(&[&integer(3), &content, &mac]))
}

/// SafeBag with a CertBag (RFC 7292 §4.2.3).
fn bag(certificate: &TrustedCertificate<'_>) -> Vec<u8> {
    let alias: Vec<u8> = certificate.alias.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut attributes = [
        attribute(FRIENDLY_NAME, &write(BMP_STRING, &[&alias])),
        attribute(TRUSTED_KEY_USAGE, &oid(ANY_EXTENDED_KEY_USAGE)),
    ];
    // The order of a SET OF in DER (X.690 §11.6).
    attributes.sort();
    let value = sequence(&[&oid(X509_CERTIFICATE), &write(CONTEXT_0, &[&octets(certificate.der)])]);
    sequence(&[&oid(CERT_BAG), &write(CONTEXT_0, &[&value]), &write(SET, &[&attributes.concat()])])
}

fn attribute(kind: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    sequence(&[&oid(kind), &write(SET, &[value])])
}

/// ContentInfo with EncryptedData under PBES2 (RFC 8018 §A.4).
fn encrypted(plain: &[u8], password: &str, rng: &dyn SecureRng) -> Result<Vec<u8>, TrustStoreError> {
    let (mut salt, mut vector) = ([0; 16], [0; 16]);
    rng.fill(&mut salt);
    rng.fill(&mut vector);
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, &salt, password.as_bytes(), &mut *key);
    let cipher = UnboundCipherKey::new(&AES_256, &*key).and_then(PaddedBlockEncryptingKey::cbc_pkcs7);
    let mut sealed = plain.to_vec();
    cipher
        .and_then(|cipher| {
            cipher.less_safe_encrypt(&mut sealed, EncryptionContext::Iv128(iv::FixedLength::from(vector)))
        })
        .map_err(|_| TrustStoreError::Cipher)?;
    let prf = sequence(&[&oid(HMAC_WITH_SHA256), &[NULL, 0]]);
    let derivation = sequence(&[&oid(PBKDF2), &sequence(&[&octets(&salt), &integer(ROUNDS.get()), &prf])]);
    let scheme = sequence(&[&oid(AES256_CBC), &octets(&vector)]);
    let algorithm = sequence(&[&oid(PBES2), &sequence(&[&derivation, &scheme])]);
    let content = sequence(&[&oid(DATA), &algorithm, &write(CONTEXT_0_OCTETS, &[&sealed])]);
    let data = sequence(&[&integer(0), &content]);
    Ok(sequence(&[&oid(ENCRYPTED_DATA), &write(CONTEXT_0, &[&data])]))
}

/// MacData over the AuthenticatedSafe (RFC 7292 §4).
fn mac(safe: &[u8], password: &str, rng: &dyn SecureRng) -> Vec<u8> {
    let mut salt = [0; 16];
    rng.fill(&mut salt);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &*mac_key(password, &salt));
    let tag = hmac::sign(&key, safe);
    let digest = sequence(&[&sequence(&[&oid(SHA256), &[NULL, 0]]), &octets(tag.as_ref())]);
    sequence(&[&digest, &octets(&salt), &integer(ROUNDS.get())])
}

/// RFC 7292 §B.2 with SHA-256 and ID 3: one block, because a key for HMAC-SHA-256 is as long as a digest.
fn mac_key(password: &str, salt: &[u8]) -> Zeroizing<[u8; 32]> {
    /// Octets of SHA-256's block.
    const BLOCK: usize = 64;
    let fill = |part: &[u8]| {
        let length = BLOCK * part.len().div_ceil(BLOCK);
        part.iter().copied().cycle().take(length).collect::<Vec<u8>>()
    };
    // §B.1: a BMPString with its terminator.
    let password: Zeroizing<Vec<u8>> =
        Zeroizing::new(password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect());
    let mut first = digest::Context::new(&digest::SHA256);
    first.update(&[3; BLOCK]);
    first.update(&fill(salt));
    first.update(&Zeroizing::new(fill(&password)));
    let mut block = first.finish();
    for _ in 1..ROUNDS.get() {
        block = digest::digest(&digest::SHA256, block.as_ref());
    }
    let mut key = Zeroizing::new([0; 32]);
    key.iter_mut().zip(block.as_ref()).for_each(|(key, octet)| *key = *octet);
    key
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    write(SEQUENCE, parts)
}

fn octets(contents: &[u8]) -> Vec<u8> {
    write(OCTET_STRING, &[contents])
}

fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    write(OBJECT_IDENTIFIER, &[oid.as_bytes()])
}

/// A number without a sign, in the fewest octets.
fn integer(number: u32) -> Vec<u8> {
    let octets = number.to_be_bytes();
    let skipped = octets.iter().take(3).take_while(|octet| **octet == 0).count();
    let significant = octets.get(skipped..).unwrap_or_default();
    let sign: &[u8] = if significant.first().is_some_and(|first| first & 0x80 != 0) { &[0] } else { &[] };
    write(INTEGER, &[sign, significant])
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::pki::tlv::{Reader, Tlv};
    use crate::testing::SeededRng;

    #[test]
    fn numbers_take_the_fewest_octets() {
        for (number, der) in [
            (0, &[2, 1, 0][..]),
            (3, &[2, 1, 3]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (10_000, &[2, 2, 0x27, 0x10]),
            (u32::MAX, &[2, 5, 0, 255, 255, 255, 255]),
        ] {
            assert_eq!(integer(number), der);
        }
    }

    #[test]
    fn a_store_is_der_and_shows_nothing() {
        let der = write(SEQUENCE, &[b"a certificate in plain sight"]);
        let make = |seed, password: &str| {
            let certificates = [TrustedCertificate { alias: "leaf", der: &der }];
            trust_store(&certificates, &Secret::new(password), &SeededRng::new(seed))
        };
        let store = make(1, "changeit").unwrap();
        let mut pfx: Reader<'_> = Tlv::only(&store).unwrap().open(SEQUENCE, "a PFX").unwrap();
        assert_eq!(pfx.expect(INTEGER, "a version").unwrap().contents, [3]);
        assert!(!store.windows(5).any(|part| part == b"plain"));
        assert_eq!(make(1, "changeit").unwrap(), store);
        assert_ne!(make(2, "changeit").unwrap(), store);
        assert!(make(1, "").is_ok());
        for password in ["pässwörd", "a\tb", "a\0b", "\u{1f511}"] {
            assert_eq!(make(1, password), Err(TrustStoreError::Password), "{password}");
        }
    }
}
