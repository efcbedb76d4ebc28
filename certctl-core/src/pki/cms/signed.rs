//! Reading SignedData (RFC 5652 §5.1).

use super::content::{self, CONTEXT_0, CONTEXT_1, ContentType};
use super::verify::SignedAttributes;
use super::{CertificateIdentifier, CmsError};
use crate::pki::tlv::{self, Damage, Reader, Tlv};

pub(super) const WHAT: &str = "signed message";

/// A signed message that was read and not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedData {
    /// The contents of the content type's object identifier.
    pub(super) content_oid: Vec<u8>,
    pub(super) content: Option<Vec<u8>>,
    pub(super) certificates: Vec<Vec<u8>>,
    crls: Vec<Vec<u8>>,
    pub(super) signers: Vec<SignerInfo>,
}

/// One signature, and what was signed with the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerInfo {
    pub(super) identifier: CertificateIdentifier,
    /// AlgorithmIdentifier.
    pub(super) digest_algorithm: Vec<u8>,
    /// The contents of the SET OF.
    pub(super) attributes: Option<Vec<u8>>,
    /// AlgorithmIdentifier.
    pub(super) signature_algorithm: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl SignedData {
    /// Reads a ContentInfo with SignedData, DER or BER.
    ///
    /// # Errors
    /// [`CmsError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CmsError> {
        let data = content::unwrap(bytes, ContentType::SignedData, WHAT)?;
        Self::read(&data).map_err(CmsError::damaged(WHAT))
    }

    /// The octets of its content; `None` when it has none, or has it elsewhere.
    pub fn content(&self) -> Option<&[u8]> {
        self.content.as_deref()
    }

    /// What its content is; `None` for a type that is not known here.
    pub fn content_type(&self) -> Option<ContentType> {
        ContentType::named(&self.content_oid)
    }

    /// Its DER certificates, in their order.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// Its DER CRLs, in their order.
    pub fn crls(&self) -> &[Vec<u8>] {
        &self.crls
    }

    /// What its only signer claims to have signed with the content. Nothing of it is proven before
    /// [`verify`](Self::verify); it serves to answer a sender who is refused.
    pub fn claimed_attributes(&self) -> Option<SignedAttributes<'_>> {
        match self.signers.as_slice() {
            [signer] => SignedAttributes::read(signer.attributes.as_deref()?).ok(),
            _ => None,
        }
    }

    fn read(data: &[u8]) -> Result<Self, Damage> {
        let mut inner = Tlv::only(data)?.open(tlv::SEQUENCE, "a SignedData")?;
        inner.expect(tlv::INTEGER, "a version")?;
        inner.expect(tlv::SET, "the digest algorithms")?;
        let mut encapsulated = inner.open(tlv::SEQUENCE, "an EncapsulatedContentInfo")?;
        let content_oid = encapsulated.expect(tlv::OBJECT_IDENTIFIER, "a content type")?.contents.to_vec();
        let content = encapsulated.optional(CONTEXT_0)?.map(octets).transpose()?;
        encapsulated.finish()?;
        // Other kinds of certificates and of revocation information have tags of their own.
        let certificates = sequences(inner.optional(CONTEXT_0)?)?;
        let crls = sequences(inner.optional(CONTEXT_1)?)?;
        let signers = inner.open(tlv::SET, "the signers")?.values();
        let signers = signers.map(|signer| SignerInfo::read(signer?)).collect::<Result<_, _>>()?;
        inner.finish()?;
        Ok(Self { content_oid, content, certificates, crls, signers })
    }
}

impl SignerInfo {
    fn read(value: Tlv<'_>) -> Result<Self, Damage> {
        let mut inner = value.open(tlv::SEQUENCE, "a SignerInfo")?;
        inner.expect(tlv::INTEGER, "a version")?;
        let identifier = CertificateIdentifier::next(&mut inner)?;
        let digest_algorithm = inner.expect(tlv::SEQUENCE, "a digestAlgorithm")?.whole.to_vec();
        let attributes = inner.optional(CONTEXT_0)?.map(|attributes| attributes.contents.to_vec());
        let signature_algorithm = inner.expect(tlv::SEQUENCE, "a signatureAlgorithm")?.whole.to_vec();
        let signature = inner.expect(tlv::OCTET_STRING, "a signature")?.contents.to_vec();
        // What nobody signed is not looked at.
        inner.optional(CONTEXT_1)?;
        inner.finish()?;
        Ok(Self { identifier, digest_algorithm, attributes, signature_algorithm, signature })
    }
}

/// The octets inside an explicit eContent.
fn octets(explicit: Tlv<'_>) -> Result<Vec<u8>, Damage> {
    let mut inner = Reader::new(explicit.contents);
    let octets = inner.expect(tlv::OCTET_STRING, "an eContent")?.contents.to_vec();
    inner.finish()?;
    Ok(octets)
}

/// The values of a set that are SEQUENCEs.
fn sequences(set: Option<Tlv<'_>>) -> Result<Vec<Vec<u8>>, Damage> {
    let mut found = Vec::new();
    for value in set.map(|set| Reader::new(set.contents).values()).into_iter().flatten() {
        let value = value?;
        if value.tag == tlv::SEQUENCE {
            found.push(value.whole.to_vec());
        }
    }
    Ok(found)
}
