//! Public keys: SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) and its identifiers (§4.2.1.2).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};

use super::PkiError;
use super::algorithm;
use super::tlv::{self, Damage, Reader, Tlv};
use crate::domain::KeyAlgorithm;

const WHAT: &str = "public key";

/// A SubjectPublicKeyInfo taken apart.
pub(crate) struct PublicKey<'a> {
    /// What kind it is, when certctl knows it.
    pub(crate) algorithm: Option<KeyAlgorithm>,
    /// What kind it is, as text.
    pub(crate) algorithm_text: String,
    /// The contents of the curve's object identifier, for elliptic curve keys.
    pub(crate) curve: Option<&'a [u8]>,
    /// The octets of the BIT STRING: a point, an RSAPublicKey, or 32 octets.
    pub(crate) bits: &'a [u8],
}

/// The kind of a key, from its DER SubjectPublicKeyInfo.
///
/// # Errors
/// [`PkiError::Malformed`], or [`PkiError::UnsupportedKey`] for a kind or size that certctl does not certify.
pub fn algorithm(spki: &[u8]) -> Result<KeyAlgorithm, PkiError> {
    let key = read(spki).map_err(PkiError::malformed(WHAT))?;
    match key.algorithm {
        Some(KeyAlgorithm::Rsa { bits }) if !(2048..=8192).contains(&bits) => {
            Err(PkiError::UnsupportedKey(key.algorithm_text))
        }
        Some(algorithm) => Ok(algorithm),
        None => Err(PkiError::UnsupportedKey(key.algorithm_text)),
    }
}

/// The key identifier: SHA-1 over the contents of the BIT STRING (RFC 5280 §4.2.1.2, method 1). It only names a key;
/// nothing rests on its collision resistance.
///
/// # Errors
/// [`PkiError::Malformed`] when it is no SubjectPublicKeyInfo.
pub fn identifier(spki: &[u8]) -> Result<Vec<u8>, PkiError> {
    let key = read(spki).map_err(PkiError::malformed(WHAT))?;
    Ok(digest(&SHA1_FOR_LEGACY_USE_ONLY, key.bits).as_ref().to_vec())
}

/// Whether both are the same key; parameters that some CAs add or leave out for RSA make no difference.
pub fn are_same(one: &[u8], other: &[u8]) -> bool {
    match (read(one), read(other)) {
        (Ok(a), Ok(b)) => one == other || (a.algorithm.is_some() && a.algorithm == b.algorithm && a.bits == b.bits),
        _ => false,
    }
}

/// Whether the algorithm of a SubjectPublicKeyInfo has parameters.
pub(crate) fn has_parameters(spki: &[u8]) -> bool {
    let parameters = || {
        let identifier = Tlv::only(spki)?.open(tlv::SEQUENCE, "a SubjectPublicKeyInfo")?.value()?;
        algorithm::parts(identifier.whole).map(|(_, parameters)| parameters.is_some())
    };
    parameters().unwrap_or(false)
}

/// Takes a SubjectPublicKeyInfo apart.
pub(crate) fn read(spki: &[u8]) -> Result<PublicKey<'_>, Damage> {
    let mut inner = Tlv::only(spki)?.open(tlv::SEQUENCE, "a SubjectPublicKeyInfo")?;
    let identifier = inner.expect(tlv::SEQUENCE, "the algorithm of a public key")?;
    let bits = bit_string(inner.expect(tlv::BIT_STRING, "a subjectPublicKey")?.contents)?;
    inner.finish()?;
    let (oid, parameters) = algorithm::parts(identifier.whole)?;
    let curve = parameters.filter(|curve| curve.tag == tlv::OBJECT_IDENTIFIER).map(|curve| curve.contents);
    let is = |known: ObjectIdentifier| oid == known.as_bytes();
    let is_curve = |known: ObjectIdentifier| curve == Some(known.as_bytes());
    let (algorithm, algorithm_text) = if is(rfc5912::ID_EC_PUBLIC_KEY) {
        // The first octet of a point tells its form (SEC 1 §2.3.3); only whole points are used in certificates.
        match (curve, bits.first(), bits.len()) {
            (_, Some(4), 65) if is_curve(rfc5912::SECP_256_R_1) => known(KeyAlgorithm::EcdsaP256),
            (_, Some(4), 97) if is_curve(rfc5912::SECP_384_R_1) => known(KeyAlgorithm::EcdsaP384),
            (Some(curve), ..) => (None, format!("ECDSA on curve {} with {} octets", dotted(curve), bits.len())),
            (None, ..) => (None, "ECDSA with explicit curve parameters".to_owned()),
        }
    } else if is(rfc8410::ID_ED_25519) && parameters.is_none() && bits.len() == 32 {
        known(KeyAlgorithm::Ed25519)
    } else if is(rfc5912::RSA_ENCRYPTION) && parameters.is_none_or(|p| p.whole == [tlv::NULL, 0]) {
        known(KeyAlgorithm::Rsa { bits: bit_length(rsa_numbers(bits)?.0)? })
    } else {
        (None, dotted(oid))
    };
    Ok(PublicKey { algorithm, algorithm_text, curve, bits })
}

fn known(algorithm: KeyAlgorithm) -> (Option<KeyAlgorithm>, String) {
    (Some(algorithm), algorithm.to_string())
}

/// The octets of a BIT STRING that has no unused bits.
pub(crate) fn bit_string(contents: &[u8]) -> Result<&[u8], Damage> {
    match contents.split_first() {
        Some((0, octets)) => Ok(octets),
        _ => Err(Damage::Expected("a BIT STRING of whole octets")),
    }
}

/// Modulus and exponent of an RSAPublicKey (RFC 8017 appendix A.1.1), unsigned.
pub(crate) fn rsa_numbers(bits: &[u8]) -> Result<(&[u8], &[u8]), Damage> {
    let mut inner = Tlv::only(bits)?.open(tlv::SEQUENCE, "an RSAPublicKey")?;
    let modulus = unsigned(&mut inner)?;
    let exponent = unsigned(&mut inner)?;
    inner.finish()?;
    Ok((modulus, exponent))
}

/// Bits of an unsigned number without leading zeros.
pub(crate) fn bit_length(modulus: &[u8]) -> Result<u16, Damage> {
    let first = modulus.first().map_or(8, |octet| octet.leading_zeros() as usize);
    u16::try_from(modulus.len() * 8 - first).map_err(|_| Damage::Expected("a modulus of less than 65536 bits"))
}

/// The next INTEGER, which must be positive, without its sign octet.
pub(crate) fn unsigned<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Damage> {
    let contents = reader.expect(tlv::INTEGER, "an INTEGER of an RSA key")?.contents;
    match contents.split_first() {
        Some((0, rest)) if rest.first().is_some_and(|octet| octet & 0x80 != 0) => Ok(rest),
        Some((first, _)) if *first != 0 && first & 0x80 == 0 => Ok(contents),
        _ => Err(Damage::Expected("a positive INTEGER in its shortest form")),
    }
}

/// An object identifier in dots; hexadecimal, of its first octets, when its encoding is wrong or longer than any in use.
pub(crate) fn dotted(contents: &[u8]) -> String {
    const SHOWN: usize = 64;
    let short = contents.get(..SHOWN).unwrap_or(contents);
    let oid = ObjectIdentifier::from_bytes(short).ok().filter(|_| short.len() == contents.len());
    oid.map_or_else(|| hex::encode(short), |oid| oid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsa_sizes_are_counted_in_bits() {
        let key = |modulus: &[u8]| {
            let number = |n: &[u8]| tlv::write(tlv::INTEGER, &[n]);
            let rsa = tlv::write(tlv::SEQUENCE, &[&number(modulus), &number(&[1, 0, 1])]);
            let oid = tlv::write(tlv::OBJECT_IDENTIFIER, &[rfc5912::RSA_ENCRYPTION.as_bytes()]);
            let identifier = tlv::write(tlv::SEQUENCE, &[&oid, &[5, 0]]);
            tlv::write(tlv::SEQUENCE, &[&identifier, &tlv::write(tlv::BIT_STRING, &[&[0], &rsa])])
        };
        let full = [vec![0], vec![0xff; 256]].concat();
        assert_eq!(algorithm(&key(&full)), Ok(KeyAlgorithm::Rsa { bits: 2048 }));
        let short = [vec![0x7f], vec![0xff; 255]].concat();
        assert_eq!(algorithm(&key(&short)), Err(PkiError::UnsupportedKey("RSA 2047".into())));
        assert!(matches!(algorithm(&key(&[0; 256])), Err(PkiError::Malformed { .. })));
        assert!(matches!(algorithm(&key(&[])), Err(PkiError::Malformed { .. })));
    }
}
