//! Algorithm identifiers of messages: digests, key transport (RFC 3370, RFC 5754, RFC 4055).

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912;

use super::content::oid;
use super::verify::Strength;
use crate::domain::SignatureAlgorithm;
use crate::pki::tlv::{self, Reader, write};
use crate::pki::{algorithm, key};
use crate::ports::KeyTransport;

const RSAES_OAEP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");

/// A digest of content and signed attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    const fn identifier(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => rfc5912::ID_SHA_1,
            Self::Sha256 => rfc5912::ID_SHA_256,
            Self::Sha384 => rfc5912::ID_SHA_384,
            Self::Sha512 => rfc5912::ID_SHA_512,
        }
    }

    /// What this AlgorithmIdentifier names; parameters may be absent or NULL (RFC 5754 §2).
    pub(super) fn read(identifier: &[u8]) -> Option<Self> {
        let (found, parameters) = algorithm::parts(identifier).ok()?;
        let plain = parameters.is_none_or(|parameters| parameters.whole == [tlv::NULL, 0]);
        Self::ALL.into_iter().find(|digest| plain && digest.identifier().as_bytes() == found)
    }

    /// The AlgorithmIdentifier, without parameters (RFC 5754 §2).
    pub(super) fn encode(self) -> Vec<u8> {
        write(tlv::SEQUENCE, &[&oid(self.identifier())])
    }

    /// The one that belongs to a signature (RFC 5754 §3; for Ed25519 RFC 8419 §3.1).
    pub(super) const fn of(algorithm: SignatureAlgorithm) -> Self {
        match algorithm {
            SignatureAlgorithm::EcdsaSha256 | SignatureAlgorithm::RsaSha256 => Self::Sha256,
            SignatureAlgorithm::EcdsaSha384 | SignatureAlgorithm::RsaSha384 => Self::Sha384,
            SignatureAlgorithm::RsaSha512 | SignatureAlgorithm::Ed25519 => Self::Sha512,
        }
    }

    /// The RSA signature that this digest makes of rsaEncryption.
    pub(super) const fn with_rsa(self) -> Option<SignatureAlgorithm> {
        match self {
            Self::Sha1 => None,
            Self::Sha256 => Some(SignatureAlgorithm::RsaSha256),
            Self::Sha384 => Some(SignatureAlgorithm::RsaSha384),
            Self::Sha512 => Some(SignatureAlgorithm::RsaSha512),
        }
    }

    pub(super) const fn is_accepted(self, strength: Strength) -> bool {
        matches!(strength, Strength::Legacy) || !matches!(self, Self::Sha1)
    }

    pub(super) fn over(self, octets: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Self::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
        };
        digest::digest(algorithm, octets)
    }
}

/// The AlgorithmIdentifier rsaEncryption, with its NULL.
pub(super) fn rsa_encryption() -> Vec<u8> {
    write(tlv::SEQUENCE, &[&oid(rfc5912::RSA_ENCRYPTION), &[tlv::NULL, 0]])
}

/// The key transport that an AlgorithmIdentifier names (RFC 3370 §4.2.1, RFC 4055 §4.1).
///
/// # Errors
/// The object identifier in dots, for any other.
pub(super) fn key_transport(identifier: &[u8]) -> Result<KeyTransport, String> {
    let (found, parameters) = algorithm::parts(identifier).map_err(|damage| damage.to_string())?;
    if found == rfc5912::RSA_ENCRYPTION.as_bytes() {
        return Ok(KeyTransport::Pkcs1);
    }
    let refused = || key::dotted(found);
    if found != RSAES_OAEP.as_bytes() {
        return Err(refused());
    }
    match parameters {
        None => Ok(KeyTransport::OaepSha1),
        Some(parameters) if parameters.tag == tlv::SEQUENCE => {
            oaep(Reader::new(parameters.contents)).ok_or_else(|| format!("{} with these parameters", refused()))
        }
        Some(_) => Err(refused()),
    }
}

/// RSAES-OAEP-params (RFC 4055 §4.1): both hashes the same, no label.
fn oaep(mut parameters: Reader<'_>) -> Option<KeyTransport> {
    let hash = parameters.optional(0xa0).ok()?;
    let mask = parameters.optional(0xa1).ok()?;
    // A pSourceFunc [2] may only say that there is no label, which nobody writes.
    parameters.finish().ok()?;
    let hash = hash.map_or(Some(Digest::Sha1), |hash| Digest::read(hash.contents))?;
    let mask = match mask {
        None => Digest::Sha1,
        Some(mask) => {
            let (found, inner) = algorithm::parts(mask.contents).ok()?;
            Digest::read(inner?.whole).filter(|_| found == MGF1.as_bytes())?
        }
    };
    match (hash, mask) {
        (Digest::Sha1, Digest::Sha1) => Some(KeyTransport::OaepSha1),
        (Digest::Sha256, Digest::Sha256) => Some(KeyTransport::OaepSha256),
        _ => None,
    }
}

/// The AlgorithmIdentifier of a key transport.
pub(super) fn encode_key_transport(transport: KeyTransport) -> Vec<u8> {
    match transport {
        KeyTransport::Pkcs1 => rsa_encryption(),
        // Defaults are left out in DER, so that nothing is left.
        KeyTransport::OaepSha1 => write(tlv::SEQUENCE, &[&oid(RSAES_OAEP), &write(tlv::SEQUENCE, &[])]),
        KeyTransport::OaepSha256 => {
            let hash = write(tlv::SEQUENCE, &[&oid(rfc5912::ID_SHA_256), &[tlv::NULL, 0]]);
            let mask = write(tlv::SEQUENCE, &[&oid(MGF1), &hash]);
            let parameters = write(tlv::SEQUENCE, &[&write(0xa0, &[&hash]), &write(0xa1, &[&mask])]);
            write(tlv::SEQUENCE, &[&oid(RSAES_OAEP), &parameters])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_go_both_ways() {
        for digest in Digest::ALL {
            assert_eq!(Digest::read(&digest.encode()), Some(digest));
        }
        for transport in [KeyTransport::Pkcs1, KeyTransport::OaepSha1, KeyTransport::OaepSha256] {
            assert_eq!(key_transport(&encode_key_transport(transport)), Ok(transport));
        }
        // As `openssl cms -keyopt rsa_padding_mode:oaep` writes the defaults.
        let defaults = hex::decode("300d06092a864886f70d0101073000").unwrap();
        assert_eq!(key_transport(&defaults), Ok(KeyTransport::OaepSha1));
        let rsa_pss = hex::decode("300b06092a864886f70d01010a").unwrap();
        assert_eq!(key_transport(&rsa_pss), Err("1.2.840.113549.1.1.10".to_owned()));
    }
}
