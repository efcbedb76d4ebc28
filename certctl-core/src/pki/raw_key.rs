//! Public keys from their numbers, as other formats than X.509 write them (RFC 7518 §6, RFC 8037).

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};

use super::tlv::{self, write};

/// The numbers of a public key, big-endian.
#[derive(Clone, Copy)]
pub(crate) enum RawKey<'a> {
    /// The coordinates of a point on P-256, 32 octets each.
    P256 { x: &'a [u8], y: &'a [u8] },
    /// The coordinates of a point on P-384, 48 octets each.
    P384 { x: &'a [u8], y: &'a [u8] },
    /// An Ed25519 key of 32 octets.
    Ed25519(&'a [u8]),
    /// Modulus and exponent of an RSA key; zeros in front are dropped.
    Rsa { n: &'a [u8], e: &'a [u8] },
}

impl RawKey<'_> {
    /// DER SubjectPublicKeyInfo (RFC 5480, RFC 8410, RFC 3279 §2.3.1).
    pub(crate) fn to_spki(self) -> Vec<u8> {
        match self {
            Self::P256 { x, y } => point(rfc5912::SECP_256_R_1, x, y),
            Self::P384 { x, y } => point(rfc5912::SECP_384_R_1, x, y),
            Self::Ed25519(key) => spki(rfc8410::ID_ED_25519, &[], key),
            Self::Rsa { n, e } => {
                let numbers = write(tlv::SEQUENCE, &[&integer(n), &integer(e)]);
                spki(rfc5912::RSA_ENCRYPTION, &[tlv::NULL, 0], &numbers)
            }
        }
    }
}

fn point(curve: ObjectIdentifier, x: &[u8], y: &[u8]) -> Vec<u8> {
    let curve = write(tlv::OBJECT_IDENTIFIER, &[curve.as_bytes()]);
    // Uncompressed (SEC 1 §2.3.3).
    spki(rfc5912::ID_EC_PUBLIC_KEY, &curve, &[&[4], x, y].concat())
}

fn spki(algorithm: ObjectIdentifier, parameters: &[u8], bits: &[u8]) -> Vec<u8> {
    let algorithm = write(tlv::OBJECT_IDENTIFIER, &[algorithm.as_bytes()]);
    let identifier = write(tlv::SEQUENCE, &[&algorithm, parameters]);
    write(tlv::SEQUENCE, &[&identifier, &write(tlv::BIT_STRING, &[&[0], bits])])
}

fn integer(octets: &[u8]) -> Vec<u8> {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    let octets = octets.get(zeros..).unwrap_or_default();
    let sign: &[u8] = if octets.first().is_none_or(|first| first & 0x80 != 0) { &[0] } else { &[] };
    write(tlv::INTEGER, &[sign, octets])
}
