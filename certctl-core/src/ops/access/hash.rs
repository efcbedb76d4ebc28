//! Keys and tokens: 256 random bits, stored as their SHA-256.
//!
//! A plain hash is enough, because there is nothing to guess; it is also what lets a key be found by an index.

use aws_lc_rs::digest;

use crate::ports::{Secret, SecureRng};

/// A new secret with a prefix that tells people and scanners what it is.
pub(crate) fn new_secret(prefix: &str, rng: &dyn SecureRng) -> Secret {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes);
    let secret = Secret::new(format!("{prefix}_{}", hex::encode(bytes)));
    zeroize::Zeroize::zeroize(&mut bytes);
    secret
}

/// SHA-256 in lower-case hex.
pub(crate) fn secret_hash(secret: impl AsRef<[u8]>) -> String {
    hex::encode(digest::digest(&digest::SHA256, secret.as_ref()))
}
