//! CertID (RFC 6960 §4.1.1): which certificate is asked about, by hashes of its issuer and its serial number.

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512, digest};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912;

use crate::domain::{InvalidSerial, Serial};
use crate::pki::certificate::Authority;
use crate::pki::tlv::{self, Damage, Tlv, write};
use crate::pki::{PkiError, algorithm, key};

/// A hash that CertIDs are made with. It only names an issuer; nothing rests on its collision resistance, and most clients still
/// use SHA-1 (RFC 5019 §2.1.1 demanded it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdHash {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// How a CertID is written: which hash, and whether its AlgorithmIdentifier carries NULL or nothing. Both are in use
/// (RFC 4055 §2.1), and an answer repeats what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Written {
    /// The hash.
    pub hash: IdHash,
    /// Whether NULL follows its name.
    pub null: bool,
}

/// Which certificate is asked about, as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertId<'a> {
    whole: &'a [u8],
    written: Option<Written>,
    issuer_name_hash: &'a [u8],
    issuer_key_hash: &'a [u8],
    serial: &'a [u8],
}

/// What CertIDs say of one issuer, in every hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerHashes([(IdHash, Vec<u8>, Vec<u8>); 4]);

impl IdHash {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => rfc5912::ID_SHA_1,
            Self::Sha256 => rfc5912::ID_SHA_256,
            Self::Sha384 => rfc5912::ID_SHA_384,
            Self::Sha512 => rfc5912::ID_SHA_512,
        }
    }

    fn of(self, octets: &[u8]) -> Vec<u8> {
        let algorithm: &'static Algorithm = match self {
            Self::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
        };
        digest(algorithm, octets).as_ref().to_vec()
    }
}

impl Written {
    /// As most clients write it: SHA-1 with NULL.
    pub const USUAL: Self = Self { hash: IdHash::Sha1, null: true };

    fn encode(self) -> Vec<u8> {
        let oid = write(tlv::OBJECT_IDENTIFIER, &[self.hash.oid().as_bytes()]);
        write(tlv::SEQUENCE, &[&oid, if self.null { &[tlv::NULL, 0] } else { &[] }])
    }

    /// `None` for a hash that is not known here, and for parameters that none of them has.
    fn decode(identifier: &[u8]) -> Result<Option<Self>, Damage> {
        let (oid, parameters) = algorithm::parts(identifier)?;
        let hash = IdHash::ALL.into_iter().find(|hash| hash.oid().as_bytes() == oid);
        let null = match parameters {
            None => Some(false),
            Some(parameters) => (parameters.whole == [tlv::NULL, 0]).then_some(true),
        };
        Ok(hash.zip(null).map(|(hash, null)| Self { hash, null }))
    }
}

impl<'a> CertId<'a> {
    pub(super) fn read(value: Tlv<'a>) -> Result<Self, Damage> {
        let mut inner = value.open(tlv::SEQUENCE, "a CertID")?;
        let identifier = inner.expect(tlv::SEQUENCE, "the hashAlgorithm of a CertID")?.whole;
        let issuer_name_hash = inner.expect(tlv::OCTET_STRING, "an issuerNameHash")?.contents;
        let issuer_key_hash = inner.expect(tlv::OCTET_STRING, "an issuerKeyHash")?.contents;
        let serial = inner.expect(tlv::INTEGER, "a serialNumber")?.contents;
        inner.finish()?;
        if !is_shortest(serial) {
            return Err(Damage::Expected("a serialNumber in its shortest form"));
        }
        let written = Written::decode(identifier)?;
        Ok(Self { whole: value.whole, written, issuer_name_hash, issuer_key_hash, serial })
    }

    /// Reads a DER CertID.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] when it is none.
    pub fn parse(der: &'a [u8]) -> Result<Self, PkiError> {
        Tlv::only(der).and_then(Self::read).map_err(PkiError::malformed("CertID"))
    }

    /// The DER, as it came.
    pub const fn der(&self) -> &'a [u8] {
        self.whole
    }

    /// How it is written; `None` for a hash that is not known here, so that nobody can say whose certificate it is.
    pub const fn written(&self) -> Option<Written> {
        self.written
    }

    /// The serial number.
    ///
    /// # Errors
    /// [`InvalidSerial`] for one that no certificate of RFC 5280 §4.1.2.2 has.
    pub fn serial(&self) -> Result<Serial, InvalidSerial> {
        Serial::from_integer(self.serial)
    }
}

impl IssuerHashes {
    /// Of an authority, by its name and its key.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] when its key is no SubjectPublicKeyInfo.
    pub fn of(authority: &Authority) -> Result<Self, PkiError> {
        let key = key::read(authority.spki()).map_err(PkiError::malformed("public key"))?;
        Ok(Self(IdHash::ALL.map(|hash| (hash, hash.of(authority.name()), hash.of(key.bits)))))
    }

    /// Whether a CertID is about a certificate of this issuer.
    pub fn are_of(&self, id: &CertId<'_>) -> bool {
        let Some(Written { hash, .. }) = id.written else { return false };
        self.0.iter().any(|(known, name, key)| {
            *known == hash && name.as_slice() == id.issuer_name_hash && key.as_slice() == id.issuer_key_hash
        })
    }

    /// The DER CertID of a certificate of this issuer; `serial` is the contents of its INTEGER.
    pub fn cert_id(&self, written: Written, serial: &[u8]) -> Vec<u8> {
        let found = self.0.iter().find(|(known, ..)| *known == written.hash);
        let (name, key) = found.map_or((&[][..], &[][..]), |(_, name, key)| (name, key));
        let octets = |contents: &[u8]| write(tlv::OCTET_STRING, &[contents]);
        let serial = write(tlv::INTEGER, &[serial]);
        write(tlv::SEQUENCE, &[&written.encode(), &octets(name), &octets(key), &serial])
    }
}

/// Whether these are the contents of a DER INTEGER (X.690 §8.3.2).
fn is_shortest(contents: &[u8]) -> bool {
    match contents {
        [] => false,
        [0, second, ..] => second & 0x80 != 0,
        [0xff, second, ..] => second & 0x80 == 0,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_a_hash_are_read_and_repeated() {
        for hash in IdHash::ALL {
            for null in [true, false] {
                let written = Written { hash, null };
                assert_eq!(Written::decode(&written.encode()), Ok(Some(written)));
            }
        }
        let md5 = write(tlv::SEQUENCE, &[&write(tlv::OBJECT_IDENTIFIER, &[rfc5912::ID_MD_5.as_bytes()])]);
        assert_eq!(Written::decode(&md5), Ok(None));
        let oid = write(tlv::OBJECT_IDENTIFIER, &[rfc5912::ID_SHA_1.as_bytes()]);
        let odd = write(tlv::SEQUENCE, &[&oid, &[tlv::INTEGER, 1, 1]]);
        assert_eq!(Written::decode(&odd), Ok(None));
    }

    #[test]
    fn serial_numbers_are_in_their_shortest_form() {
        for good in [&[0][..], &[1], &[0, 0x80], &[0xff, 0x7f], &[0x80]] {
            assert!(is_shortest(good), "{good:?}");
        }
        for bad in [&[][..], &[0, 0], &[0, 0x7f], &[0xff, 0x80], &[0xff, 0xff]] {
            assert!(!is_shortest(bad), "{bad:?}");
        }
    }
}
