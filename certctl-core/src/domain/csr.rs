//! A certification request whose sender holds the key (PKCS#10, RFC 2986).

use super::pem;
use super::{KeyAlgorithm, KeyId, SubjectNames};

/// A certification request.
///
/// Only [`pki::csr`](crate::pki::csr) makes one, after it has verified the signature: its sender holds the private key.
#[derive(Clone, PartialEq, Eq)]
pub struct Csr {
    names: SubjectNames,
    spki: Vec<u8>,
    key_algorithm: KeyAlgorithm,
    der: Vec<u8>,
}

impl Csr {
    /// The parts of a request whose signature was verified.
    pub(crate) fn verified(names: SubjectNames, spki: Vec<u8>, key_algorithm: KeyAlgorithm, der: Vec<u8>) -> Self {
        Self { names, spki, key_algorithm, der }
    }

    /// The names asked for, in canonical form.
    pub fn names(&self) -> &SubjectNames {
        &self.names
    }

    /// The public key: DER SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// What kind of key it is.
    pub fn key_algorithm(&self) -> KeyAlgorithm {
        self.key_algorithm
    }

    /// The key's id: SHA-256 over its SPKI, in hexadecimal.
    pub fn key_id(&self) -> KeyId {
        KeyId::of(&self.spki)
    }

    /// The request as it came, in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The request as PEM (RFC 7468 §7).
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE REQUEST", &self.der)
    }
}

impl std::fmt::Debug for Csr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Csr")
            .field("names", &self.names)
            .field("key_algorithm", &self.key_algorithm)
            .field("key_id", &self.key_id())
            .finish_non_exhaustive()
    }
}
