//! Verification of signatures.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use const_oid::db::rfc5912;

use super::algorithm;
use super::key::{self, PublicKey};
use super::tlv::{self, Reader, Tlv};
use crate::domain::{KeyAlgorithm, SignatureAlgorithm};

/// Whether `signature` (the contents of a signature BIT STRING) is the key's over `message`.
///
/// False also for a malformed key or signature, and for an algorithm that does not belong to the key.
pub fn signature(spki: &[u8], algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = key::read(spki) else { return false };
    key.algorithm
        .and_then(|kind| verifier(kind, algorithm))
        .is_some_and(|verifier| UnparsedPublicKey::new(verifier, key.bits).verify(message, signature).is_ok())
}

/// Whether `signed` is the key's over `message` by RSA with PKCS #1 v1.5 and SHA-1: only for those whose operator says that there is
/// nothing newer, because somebody may have found a second message for it.
pub(crate) fn sha1_with_rsa(spki: &[u8], message: &[u8], signed: &[u8]) -> bool {
    let Ok(key) = key::read(spki) else { return false };
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, key.bits);
    key.verify(message, signed).is_ok()
}

fn verifier(key: KeyAlgorithm, signature: SignatureAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
    use KeyAlgorithm as K;
    use SignatureAlgorithm as S;
    Some(match (key, signature) {
        (K::EcdsaP256, S::EcdsaSha256) => &ECDSA_P256_SHA256_ASN1,
        (K::EcdsaP256, S::EcdsaSha384) => &ECDSA_P256_SHA384_ASN1,
        (K::EcdsaP384, S::EcdsaSha256) => &ECDSA_P384_SHA256_ASN1,
        (K::EcdsaP384, S::EcdsaSha384) => &ECDSA_P384_SHA384_ASN1,
        (K::Ed25519, S::Ed25519) => &ED25519,
        (K::Rsa { .. }, S::RsaSha256) => &RSA_PKCS1_2048_8192_SHA256,
        (K::Rsa { .. }, S::RsaSha384) => &RSA_PKCS1_2048_8192_SHA384,
        (K::Rsa { .. }, S::RsaSha512) => &RSA_PKCS1_2048_8192_SHA512,
        _ => return None,
    })
}

/// Whether the signature of somebody's certificate is the key's; `None` when its algorithm is not supported.
///
/// Beside what certctl makes, this knows what other authorities sign with: RSASSA-PSS (RFC 4055 §3.1), ECDSA with SHA-512
/// and ECDSA on P-521 (RFC 5758 §3.2).
pub(crate) fn by_identifier(spki: &[u8], identifier: &[u8], message: &[u8], signed: &[u8]) -> Option<bool> {
    let key = key::read(spki).ok()?;
    let own = algorithm::decode(identifier).and_then(|algorithm| verifier(key.algorithm?, algorithm));
    let verifier = own.or_else(|| foreign(&key, identifier))?;
    Some(UnparsedPublicKey::new(verifier, key.bits).verify(message, signed).is_ok())
}

fn foreign(key: &PublicKey<'_>, identifier: &[u8]) -> Option<&'static dyn VerificationAlgorithm> {
    let (oid, parameters) = algorithm::parts(identifier).ok()?;
    let is_p521 = key.curve == Some(rfc5912::SECP_521_R_1.as_bytes());
    Some(match key.algorithm {
        Some(KeyAlgorithm::EcdsaP256) if oid == rfc5912::ECDSA_WITH_SHA_512.as_bytes() => &ECDSA_P256_SHA512_ASN1,
        Some(KeyAlgorithm::EcdsaP384) if oid == rfc5912::ECDSA_WITH_SHA_512.as_bytes() => &ECDSA_P384_SHA512_ASN1,
        Some(KeyAlgorithm::Rsa { .. }) if oid == rfc5912::ID_RSASSA_PSS.as_bytes() => match pss_hash(parameters?)? {
            hash if hash == rfc5912::ID_SHA_256.as_bytes() => &RSA_PSS_2048_8192_SHA256,
            hash if hash == rfc5912::ID_SHA_384.as_bytes() => &RSA_PSS_2048_8192_SHA384,
            hash if hash == rfc5912::ID_SHA_512.as_bytes() => &RSA_PSS_2048_8192_SHA512,
            _ => return None,
        },
        None if is_p521 && oid == rfc5912::ECDSA_WITH_SHA_256.as_bytes() => &ECDSA_P521_SHA256_ASN1,
        None if is_p521 && oid == rfc5912::ECDSA_WITH_SHA_384.as_bytes() => &ECDSA_P521_SHA384_ASN1,
        None if is_p521 && oid == rfc5912::ECDSA_WITH_SHA_512.as_bytes() => &ECDSA_P521_SHA512_ASN1,
        _ => return None,
    })
}

/// The object identifier of the hash in RSASSA-PSS-params; the default, SHA-1, is not supported. Mask and salt are what the
/// hash makes usual, or the signature does not verify.
fn pss_hash(parameters: Tlv<'_>) -> Option<&[u8]> {
    let mut inner = parameters.open(tlv::SEQUENCE, "RSASSA-PSS-params").ok()?;
    let hash = Reader::new(inner.optional(0xa0).ok()??.contents).value().ok()?;
    algorithm::parts(hash.whole).ok().map(|(oid, _)| oid)
}
