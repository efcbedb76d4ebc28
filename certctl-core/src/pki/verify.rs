//! Verification of signatures.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey,
    VerificationAlgorithm,
};

use super::key;
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
