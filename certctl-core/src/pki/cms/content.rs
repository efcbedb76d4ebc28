//! ContentInfo (RFC 5652 §3), and what may be inside.

use const_oid::ObjectIdentifier;

use super::{CmsError, MAX_CMS_OCTETS, ber};
use crate::pki::PkiError;
use crate::pki::tlv::{self, Reader, Tlv, write};

/// Explicit `[0]`, and the implicit one of constructed values.
pub(super) const CONTEXT_0: u8 = 0xa0;
/// Implicit `[1]`, constructed.
pub(super) const CONTEXT_1: u8 = 0xa1;
/// Implicit `[0]` of an OCTET STRING.
pub(super) const CONTEXT_0_OCTETS: u8 = 0x80;

/// What a message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentType {
    /// Octets whose meaning others know (§4).
    Data,
    /// A signed message, or a bag of certificates (§5).
    SignedData,
    /// An encrypted message (§6).
    EnvelopedData,
    /// A private key as AsymmetricKeyPackage (RFC 5958 §2).
    AsymmetricKeyPackage,
}

impl ContentType {
    const ALL: [Self; 4] = [Self::Data, Self::SignedData, Self::EnvelopedData, Self::AsymmetricKeyPackage];

    pub(super) const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Data => ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1"),
            Self::SignedData => ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2"),
            Self::EnvelopedData => ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.3"),
            Self::AsymmetricKeyPackage => ObjectIdentifier::new_unwrap("2.16.840.1.101.2.1.2.78.5"),
        }
    }

    /// The type that these contents of an object identifier name.
    pub(super) fn named(oid: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.oid().as_bytes() == oid)
    }
}

/// An object identifier in DER.
pub(super) fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    write(tlv::OBJECT_IDENTIFIER, &[oid.as_bytes()])
}

/// ContentInfo around a content.
pub(super) fn wrap(kind: ContentType, content: &[u8]) -> Vec<u8> {
    write(tlv::SEQUENCE, &[&oid(kind.oid()), &write(CONTEXT_0, &[content])])
}

/// The DER of the content of a ContentInfo of this type, out of BER.
pub(super) fn unwrap(bytes: &[u8], kind: ContentType, what: &'static str) -> Result<Vec<u8>, CmsError> {
    if bytes.len() > MAX_CMS_OCTETS {
        let (octets, limit) = (bytes.len(), MAX_CMS_OCTETS);
        return Err(PkiError::TooLarge { what, octets, limit }.into());
    }
    let der = ber::normalize(bytes).map_err(CmsError::damaged(what))?;
    let read = || {
        let mut info = Tlv::only(&der)?.open(tlv::SEQUENCE, "a ContentInfo")?;
        let found = info.expect(tlv::OBJECT_IDENTIFIER, "a content type")?.contents;
        let mut content = Reader::new(info.expect(CONTEXT_0, "a content")?.contents);
        info.finish()?;
        let value = content.expect(tlv::SEQUENCE, "a content that is a SEQUENCE")?.whole;
        content.finish()?;
        Ok((found, value))
    };
    let (found, value) = read().map_err(CmsError::damaged(what))?;
    if ContentType::named(found) != Some(kind) {
        let why = "its content type is another one".to_owned();
        return Err(PkiError::Malformed { what, why }.into());
    }
    Ok(value.to_vec())
}
