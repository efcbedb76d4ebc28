//! Algorithm identifiers of signatures (RFC 5280 §4.1.1.2).

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};

use super::tlv::{self, Damage, Tlv};
use crate::domain::SignatureAlgorithm;

const ALL: [SignatureAlgorithm; 6] = [
    SignatureAlgorithm::EcdsaSha256,
    SignatureAlgorithm::EcdsaSha384,
    SignatureAlgorithm::Ed25519,
    SignatureAlgorithm::RsaSha256,
    SignatureAlgorithm::RsaSha384,
    SignatureAlgorithm::RsaSha512,
];

const fn identifier(algorithm: SignatureAlgorithm) -> ObjectIdentifier {
    match algorithm {
        SignatureAlgorithm::EcdsaSha256 => rfc5912::ECDSA_WITH_SHA_256,
        SignatureAlgorithm::EcdsaSha384 => rfc5912::ECDSA_WITH_SHA_384,
        SignatureAlgorithm::Ed25519 => rfc8410::ID_ED_25519,
        SignatureAlgorithm::RsaSha256 => rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
        SignatureAlgorithm::RsaSha384 => rfc5912::SHA_384_WITH_RSA_ENCRYPTION,
        SignatureAlgorithm::RsaSha512 => rfc5912::SHA_512_WITH_RSA_ENCRYPTION,
    }
}

/// The DER AlgorithmIdentifier of a signature: parameters are NULL for RSA (RFC 4055 §5) and absent for ECDSA
/// (RFC 5758 §3.2) and Ed25519 (RFC 8410 §3).
pub fn encode(algorithm: SignatureAlgorithm) -> Vec<u8> {
    let oid = tlv::write(tlv::OBJECT_IDENTIFIER, &[identifier(algorithm).as_bytes()]);
    match algorithm {
        SignatureAlgorithm::RsaSha256 | SignatureAlgorithm::RsaSha384 | SignatureAlgorithm::RsaSha512 => {
            tlv::write(tlv::SEQUENCE, &[&oid, &[tlv::NULL, 0]])
        }
        _ => tlv::write(tlv::SEQUENCE, &[&oid]),
    }
}

/// Reads a DER AlgorithmIdentifier; `None` for algorithms that certctl does not verify. For RSA absent parameters are
/// accepted (RFC 4055 §5 asks verifiers to).
pub fn decode(der: &[u8]) -> Option<SignatureAlgorithm> {
    let (oid, parameters) = parts(der).ok()?;
    let algorithm = *ALL.iter().find(|known| identifier(**known).as_bytes() == oid)?;
    let absent_allowed = parameters.is_none();
    let null_allowed = encode(algorithm) == der;
    (absent_allowed || null_allowed).then_some(algorithm)
}

/// Whether a DER AlgorithmIdentifier is sha1WithRSAEncryption (RFC 3279 §2.2.1), which [`decode`] does not know; absent parameters
/// are accepted as there.
pub(crate) fn is_sha1_with_rsa(der: &[u8]) -> bool {
    let plain = |parameters: Option<Tlv<'_>>| parameters.is_none_or(|parameters| parameters.whole == [tlv::NULL, 0]);
    parts(der).is_ok_and(|(oid, parameters)| oid == rfc5912::SHA_1_WITH_RSA_ENCRYPTION.as_bytes() && plain(parameters))
}

/// The contents of the object identifier, and the parameters.
pub(crate) fn parts(der: &[u8]) -> Result<(&[u8], Option<Tlv<'_>>), Damage> {
    let mut inner = Tlv::only(der)?.open(tlv::SEQUENCE, "an AlgorithmIdentifier")?;
    let oid = inner.expect(tlv::OBJECT_IDENTIFIER, "the object identifier of an algorithm")?;
    let parameters = if inner.is_empty() { None } else { Some(inner.value()?) };
    inner.finish()?;
    Ok((oid.contents, parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_go_both_ways() {
        for algorithm in ALL {
            assert_eq!(decode(&encode(algorithm)), Some(algorithm));
        }
        // ecdsa-with-SHA256 with NULL parameters is not what RFC 5758 allows.
        let mut with_null = encode(SignatureAlgorithm::EcdsaSha256);
        with_null.extend([tlv::NULL, 0]);
        with_null[1] += 2;
        assert_eq!(decode(&with_null), None);
        assert_eq!(decode(&[]), None);
    }
}
