//! Key algorithms, by what they are called on the wire and what they sign.

use crate::text_enum;

/// A kind of private key that certctl makes or certifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyAlgorithm {
    /// ECDSA on P-256 (secp256r1).
    EcdsaP256,
    /// ECDSA on P-384 (secp384r1).
    EcdsaP384,
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// RSA with a modulus of so many bits.
    Rsa {
        /// Bits of the modulus; 2048 to 4096 are made, others only recognised.
        bits: u16,
    },
}

text_enum! {
    /// The family of a key, as profiles and versions name it.
    pub enum KeyFamily {
        /// Elliptic curve keys on NIST curves.
        Ecdsa = "ECDSA",
        /// Ed25519.
        Ed25519 = "Ed25519",
        /// RSA.
        Rsa = "RSA",
    }
}

text_enum! {
    /// How a signature is made (RFC 5280 §4.1.1.2).
    pub enum SignatureAlgorithm {
        /// ecdsa-with-SHA256 (RFC 5758 §3.2).
        EcdsaSha256 = "ecdsa-with-SHA256",
        /// ecdsa-with-SHA384 (RFC 5758 §3.2).
        EcdsaSha384 = "ecdsa-with-SHA384",
        /// id-Ed25519 (RFC 8410 §3).
        Ed25519 = "Ed25519",
        /// sha256WithRSAEncryption (RFC 4055 §5).
        RsaSha256 = "sha256WithRSAEncryption",
        /// sha384WithRSAEncryption (RFC 4055 §5); verified, not made.
        RsaSha384 = "sha384WithRSAEncryption",
        /// sha512WithRSAEncryption (RFC 4055 §5); verified, not made.
        RsaSha512 = "sha512WithRSAEncryption",
    }
}

impl KeyAlgorithm {
    /// The family.
    pub const fn family(self) -> KeyFamily {
        match self {
            Self::EcdsaP256 | Self::EcdsaP384 => KeyFamily::Ecdsa,
            Self::Ed25519 => KeyFamily::Ed25519,
            Self::Rsa { .. } => KeyFamily::Rsa,
        }
    }

    /// The size in bits, as profiles compare it; Ed25519 counts as 256.
    pub const fn bits(self) -> u16 {
        match self {
            Self::EcdsaP256 | Self::Ed25519 => 256,
            Self::EcdsaP384 => 384,
            Self::Rsa { bits } => bits,
        }
    }

    /// What such a key signs with.
    pub const fn signature_algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::EcdsaP256 => SignatureAlgorithm::EcdsaSha256,
            Self::EcdsaP384 => SignatureAlgorithm::EcdsaSha384,
            Self::Ed25519 => SignatureAlgorithm::Ed25519,
            Self::Rsa { .. } => SignatureAlgorithm::RsaSha256,
        }
    }
}

impl std::fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EcdsaP256 => f.write_str("ECDSA P-256"),
            Self::EcdsaP384 => f.write_str("ECDSA P-384"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
        }
    }
}
