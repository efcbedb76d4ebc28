//! Private keys in their files: PKCS#8 (RFC 5958), and the older PKCS#1 (RFC 8017) and SEC 1 (RFC 5915).

use const_oid::db::{rfc5912, rfc8410};
use zeroize::Zeroizing;

use super::tlv::{self, Damage, Reader, Tlv};
use super::{PkiError, algorithm, key};
use crate::domain::KeyAlgorithm;
use crate::domain::pem;

const WHAT: &str = "private key";

/// The largest private key that is read, in octets.
const MAX_OCTETS: usize = 64 * 1024;

/// The kind of a DER PKCS#8 private key.
///
/// # Errors
/// [`PkiError::Malformed`], or [`PkiError::UnsupportedKey`] for a kind that certctl does not use.
pub fn algorithm(pkcs8: &[u8]) -> Result<KeyAlgorithm, PkiError> {
    let Parts { oid, parameters, inner } = Parts::read(pkcs8).map_err(PkiError::malformed(WHAT))?;
    let curve = parameters.map(|curve| curve.contents).unwrap_or_default();
    if oid == rfc8410::ID_ED_25519.as_bytes() {
        Ok(KeyAlgorithm::Ed25519)
    } else if oid == rfc5912::RSA_ENCRYPTION.as_bytes() {
        let bits = rsa_bits(inner).map_err(PkiError::malformed(WHAT))?;
        Ok(KeyAlgorithm::Rsa { bits })
    } else if oid == rfc5912::ID_EC_PUBLIC_KEY.as_bytes() && curve == rfc5912::SECP_256_R_1.as_bytes() {
        Ok(KeyAlgorithm::EcdsaP256)
    } else if oid == rfc5912::ID_EC_PUBLIC_KEY.as_bytes() && curve == rfc5912::SECP_384_R_1.as_bytes() {
        Ok(KeyAlgorithm::EcdsaP384)
    } else {
        Err(PkiError::UnsupportedKey(key::dotted(oid)))
    }
}

/// The first private key of a PEM text as DER PKCS#8. Reads `PRIVATE KEY`, `RSA PRIVATE KEY` and `EC PRIVATE KEY`; other
/// blocks, such as `EC PARAMETERS` or certificates beside the key, are skipped.
///
/// # Errors
/// [`PkiError::Malformed`] when there is none, it is encrypted, or it is no private key.
pub fn from_pem(text: &str) -> Result<Zeroizing<Vec<u8>>, PkiError> {
    let malformed = |why: String| PkiError::Malformed { what: WHAT, why };
    for block in pem::parse(text, MAX_OCTETS).map_err(|error| malformed(error.to_string()))? {
        let (label, der) = (block.label, Zeroizing::new(block.der));
        match label.as_str() {
            "PRIVATE KEY" => return Ok(der),
            "RSA PRIVATE KEY" => return Ok(wrap(rfc5912::RSA_ENCRYPTION.as_bytes(), &[tlv::NULL, 0], &der)),
            "EC PRIVATE KEY" => {
                let curve = sec1_curve(&der).map_err(PkiError::malformed(WHAT))?;
                return Ok(wrap(rfc5912::ID_EC_PUBLIC_KEY.as_bytes(), curve, &der));
            }
            "ENCRYPTED PRIVATE KEY" => {
                return Err(malformed("it is encrypted; decrypt it first with `openssl pkey`".to_owned()));
            }
            _ => {}
        }
    }
    Err(malformed("no PEM block of the text is a private key".to_owned()))
}

/// A DER PKCS#8 private key as PEM (RFC 7468 §10).
pub fn to_pem(pkcs8: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(pem::encode("PRIVATE KEY", pkcs8))
}

/// A PrivateKeyInfo taken apart.
struct Parts<'a> {
    oid: &'a [u8],
    parameters: Option<Tlv<'a>>,
    inner: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(pkcs8: &'a [u8]) -> Result<Self, Damage> {
        let mut info = Tlv::only(pkcs8)?.open(tlv::SEQUENCE, "a PrivateKeyInfo")?;
        info.expect(tlv::INTEGER, "a version")?;
        let identifier = info.expect(tlv::SEQUENCE, "the algorithm of a private key")?;
        let (oid, parameters) = algorithm::parts(identifier.whole)?;
        let inner = info.expect(tlv::OCTET_STRING, "a privateKey")?.contents;
        Ok(Self { oid, parameters, inner })
    }
}

/// Bits of the modulus of an RSAPrivateKey (RFC 8017 appendix A.1.2).
fn rsa_bits(inner: &[u8]) -> Result<u16, Damage> {
    let mut numbers = Tlv::only(inner)?.open(tlv::SEQUENCE, "an RSAPrivateKey")?;
    numbers.expect(tlv::INTEGER, "a version")?;
    key::bit_length(key::unsigned(&mut numbers)?)
}

/// The DER object identifier of the curve in an ECPrivateKey (RFC 5915 §3).
fn sec1_curve(der: &[u8]) -> Result<&[u8], Damage> {
    let mut inner = Tlv::only(der)?.open(tlv::SEQUENCE, "an ECPrivateKey")?;
    inner.expect(tlv::INTEGER, "a version")?;
    inner.expect(tlv::OCTET_STRING, "a privateKey")?;
    let parameters = inner.expect(0xa0, "the curve of an ECPrivateKey")?;
    Reader::new(parameters.contents).expect(tlv::OBJECT_IDENTIFIER, "a named curve").map(|curve| curve.whole)
}

fn wrap(oid: &[u8], parameters: &[u8], inner: &[u8]) -> Zeroizing<Vec<u8>> {
    let identifier = tlv::write(tlv::SEQUENCE, &[&tlv::write(tlv::OBJECT_IDENTIFIER, &[oid]), parameters]);
    let inner = Zeroizing::new(tlv::write(tlv::OCTET_STRING, &[inner]));
    Zeroizing::new(tlv::write(tlv::SEQUENCE, &[&[tlv::INTEGER, 1, 0], &identifier, &inner]))
}
